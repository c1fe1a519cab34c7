import type { Command } from '../contract/command.ts';
import type { AppConfig } from '../contract/settings.ts';
import { appMetrics, features } from '../features/features.ts';
import { Observer } from '../metrics/observer.ts';
import { monitorIntervalMs } from '../replication/litestream-config.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Database } from '../sqlite/open.ts';
import { ApplyingMark, applyingMarkPath } from './applying-mark.ts';
import { Committer, type CommitterOptions } from './committer.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { Ledger } from './ledger.ts';
import { Replication } from './replication.ts';
import type { StorageGuard } from './storage-guard.ts';

const MS_PER_S = 1000;

/** What the writer has for one database. */
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
 * Prepares an open, migrated database for commits.
 * @param session random, new for each activation of a writer
 */
export function makeStore(
  database: string,
  db: Database,
  commands: ReadonlyMap<string, Command>,
  session: string,
  guard: StorageGuard,
  {
    config,
    log,
    meter,
    ...standby
  }: Pick<Runtime, 'log' | 'meter'> &
    Pick<CommitterOptions, 'mayCommitUntilMs' | 'isHeld'> & { readonly config: AppConfig },
): Store {
  const replication = new Replication(
    db,
    session,
    config.REPLICA_SYNC_INTERVAL_MS,
    monitorIntervalMs(config),
  );
  const batches = meter.histogram('writer_batch_operations', { database });
  const commits = meter.histogram('writer_commit_duration_seconds', { database });
  const committer = new Committer({
    db,
    ledger: new Ledger(db, session),
    idempotencyKeys: new IdempotencyKeys(db, config.IDEMPOTENCY_RETENTION_MS),
    applyingMark: new ApplyingMark(applyingMarkPath(config.DATA_DIR, database), log),
    commands,
    config,
    queueMax: config.WRITE_QUEUE_MAX,
    log,
    observer: new Observer(meter, appMetrics),
    refusal: () => replication.refusal ?? guard.refusal,
    gate: () => replication.waitMs(),
    ...standby,
    whenReplicated: (timeoutMs, done) => replication.whenReplicated(timeoutMs, done),
    onCommit({ atMs, operations, durationMs }) {
      replication.committed(atMs);
      batches.observe(operations);
      commits.observe(durationMs / MS_PER_S);
    },
  });
  meter.gauge('writer_queue_operations', { database }, () => committer.queueLength);
  return { database, committer, replication, commandNames: [...commands.keys()] };
}
