import { join } from 'node:path';
import type { Bond } from '../child/child.ts';
import type { Command } from '../feature.ts';
import { features } from '../features.ts';
import { monitorIntervalMs } from '../replication/litestream-config.ts';
import { migrate, readMigrations } from '../sqlite/migrations.ts';
import { type Database, openWriter } from '../sqlite/open.ts';
import { Committer } from './committer.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { Ledger } from './ledger.ts';
import { type Owner, rehearse } from './rehearsal.ts';
import { Replication } from './replication.ts';
import type { StorageGuard } from './storage-guard.ts';

const MS_PER_S = 1000;

/** One database as the writer has it. */
export interface Store {
  readonly database: string;
  readonly committer: Committer;
  readonly replication: Replication;
  /** Full names, `feature.command`. */
  readonly commandNames: readonly string[];
}

/** Loads the commands of a database's features, by their full names. Opens nothing. */
export async function loadCommands(database: string): Promise<Map<string, Command>> {
  const commands = new Map<string, Command>();
  for (const feature of features.filter((candidate) => candidate.database === database)) {
    for (const [name, command] of Object.entries(await feature.commands())) {
      commands.set(`${feature.name}.${name}`, command as Command);
    }
  }
  return commands;
}

/**
 * Opens a database read-write, brings its tables up to date, and makes it ready for commits.
 * @throws Failure migration_mismatch, or why one of the features lets nothing start
 */
export async function openStore(
  database: string,
  commands: ReadonlyMap<string, Command>,
  guard: StorageGuard,
  bond: Bond,
): Promise<Store> {
  const { config, log } = bond;
  const db = openWriter(join(config.DATA_DIR, `${database}.db`));
  bringUpToDate(database, db, bond);
  for (const feature of features.filter((candidate) => candidate.database === database)) {
    (await feature.checkStart?.())?.(db, config);
  }
  const replication = new Replication(db, config.REPLICA_SYNC_INTERVAL_MS, monitorIntervalMs(config));
  const batches = bond.meter.histogram('writer_batch_operations', { database });
  const commits = bond.meter.histogram('writer_commit_duration_seconds', { database });
  const committer = new Committer({
    db,
    ledger: new Ledger(db),
    idempotencyKeys: new IdempotencyKeys(db, config.IDEMPOTENCY_RETENTION_MS),
    commands,
    queueMax: config.WRITE_QUEUE_MAX,
    log,
    closedBecause: () => guard.closedBecause,
    gate: () => replication.waitMs(),
    whenReplicated: (timeoutMs, done) => replication.whenReplicated(timeoutMs, done),
    onCommit({ atMs, operations, durationMs }) {
      replication.committed(atMs);
      batches.observe(operations);
      commits.observe(durationMs / MS_PER_S);
    },
  });
  bond.meter.gauge('writer_queue_operations', { database }, () => committer.queueLength);
  return { database, committer, replication, commandNames: [...commands.keys()] };
}

/** @throws Failure migration_mismatch when what this code would migrate cannot be; nothing is changed */
export function rehearseMigrations(database: string, { config, tell }: Bond): void {
  tell({ kind: 'progress', detail: `rehearsing the migrations of ${database}` });
  const scratchPath = join(config.DATA_DIR, 'run', `rehearsal-${database}.db`);
  rehearse(join(config.DATA_DIR, `${database}.db`), scratchPath, ownersOf(database));
}

function ownersOf(database: string): readonly Owner[] {
  const own = { name: 'writer', migrations: new URL('./migrations/', import.meta.url) };
  return [own, ...features.filter((feature) => feature.database === database)];
}

/** Applies what is missing, and says so after each step, since one may take longer than a start may. */
function bringUpToDate(database: string, db: Database, { log, tell }: Bond): void {
  for (const owner of ownersOf(database)) {
    for (const name of migrate(db, owner.name, readMigrations(owner.migrations))) {
      log.info({ database, migration: `${owner.name}/${name}` }, `applied migration ${owner.name}/${name}`);
      tell({ kind: 'progress', detail: name });
    }
  }
}
