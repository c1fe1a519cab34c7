import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Command } from '../contract/command.ts';
import { features } from '../features/features.ts';
import { ownersOf } from '../features/owners.ts';
import type { DryRunResult } from '../messages/dry-run-result.ts';
import { readMark } from '../replication/history/mark.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { migrate } from '../sqlite/migrations.ts';
import { BUSY_TIMEOUT_MS, type Database, openReader, openWriter } from '../sqlite/open.ts';
import { prepared } from '../sqlite/prepared.ts';
import { type UpgradeTarget, upgrade } from '../sqlite/upgrade.ts';
import { describeProcess, walLocks } from '../sqlite/wal-locks.ts';
import { CommitCounter } from './commit-counter.ts';
import { dryRun } from './dry-run.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { Ledger } from './ledger.ts';
import { type Listener, tellRewind, toldOf } from './rewinds.ts';
import { loadCommands } from './store.ts';

/** Pause between two tries to lock a database that another program has locked. */
const LOCK_RETRY_MS = 100;
const LOCK_TOLD_TRIES = 10;

/**
 * Opens the databases read-write and migrates all of them, as a whole or not at all. When a database has gone back in
 * time, calls the `onRewind` of its features. In each database that either of these changes, it counts as one commit.
 *
 * @param session random, new for each activation of a writer
 * @returns the databases by name, and the notices of the features for the person who starts the system
 * @throws Failure migration_mismatch, or the failure by which a feature's `checkStart` refuses the start; nothing is
 *   then changed
 */
export async function openDatabases(
  names: readonly string[],
  session: string,
  runtime: Runtime,
): Promise<{ readonly databases: ReadonlyMap<string, Database>; readonly notices: readonly string[] }> {
  const { config, log, send } = runtime;
  const targets = names.map((database): UpgradeTarget => {
    const db = openWriter(join(config.DATA_DIR, `${database}.db`));
    return { database, db, owners: ownersOf(database) };
  });
  for (const { database, db } of targets) await unlocked(database, db, runtime);
  const databases = new Map(targets.map(({ database, db }) => [database, db]));
  const checks = await Promise.all(
    features.map(
      async ({ database, checkStart }) => [databases.get(database), await checkStart?.()] as const,
    ),
  );
  const rewinds = (readMark(config.DATA_DIR)?.rewinds ?? []).filter(({ database }) =>
    databases.has(database),
  );
  const listeners = rewinds.length > 0 ? await loadListeners() : new Map<string, Listener[]>();
  const counted = new Set<Database>();
  const count = (db: Database) => {
    if (!counted.has(db)) new CommitCounter(db, session).count(Date.now());
    counted.add(db);
  };
  let notices: readonly string[] = [];
  let told: readonly { readonly id: string; readonly told: string }[] = [];
  const applied = upgrade(targets, {
    // A migration blocks the event loop for as long as it takes. Each progress message restarts the start timeout.
    before: (detail) => send({ kind: 'progress', detail }),
    onApplied: count,
    beforeCommit() {
      told = rewinds.map((rewind) => {
        const { id, database } = rewind;
        const db = databases.get(database)!;
        const known = toldOf(db, rewind);
        if (known !== undefined) return { id, told: known };
        send({ kind: 'progress', detail: `telling the features of ${database} that it has gone back` });
        count(db);
        const options = {
          dataDir: config.DATA_DIR,
          nowMs: Date.now(),
          listeners: listeners.get(database) ?? [],
        };
        return { id, told: tellRewind(db, rewind, options) };
      });
      notices = checks.flatMap(([db, check]) => (db && check?.(db, config)) ?? []);
    },
  });
  for (const rewind of told) {
    log.warn(rewind.told);
    send({ kind: 'rewound', ...rewind });
  }
  for (const migration of applied) log.info({ migration }, `applied migration ${migration}`);
  return { databases, notices };
}

/** Waits, without a limit, until no other program keeps the database locked for writing. */
async function unlocked(database: string, db: Database, { send, log }: Runtime): Promise<void> {
  // A wait inside SQLite would block the event loop, and no progress could be reported.
  db.pragma('busy_timeout = 0');
  for (let tries = 1; ; tries += 1) {
    try {
      db.exec('BEGIN IMMEDIATE; ROLLBACK');
      db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY')) throw error;
    }
    await setTimeout(LOCK_RETRY_MS);
    // Litestream holds the lock for moments: not worth a message.
    if (tries < LOCK_TOLD_TRIES) continue;
    const { writerPid } = walLocks(db.name);
    const who = writerPid === undefined ? 'another program' : describeProcess(writerPid);
    const reason = `${who} has locked ${database} for writing: end it, or its transaction`;
    if (tries === LOCK_TOLD_TRIES) log.warn(reason);
    send({ kind: 'progress', detail: reason });
  }
}

/** @returns the listeners of each database, in the order of the features */
async function loadListeners(): Promise<Map<string, Listener[]>> {
  const listeners = new Map<string, Listener[]>();
  for (const { name, database, onRewind } of features) {
    const listener = { feature: name, onRewind: await onRewind?.load() };
    listeners.set(database, [...(listeners.get(database) ?? []), listener]);
  }
  return listeners;
}

/**
 * Tries this code on copies of the databases: migrates them in `folder`, then prepares every statement of the writer on
 * the result. The databases themselves stay as they are.
 *
 * @param folder as for `dryRun`
 * @throws Failure migration_mismatch when a migration cannot be applied or a statement does not fit, storage_full when
 *   there is no room to try it
 */
export async function dryRunOn(
  folder: string,
  names: readonly string[],
  { config, send }: Runtime,
): Promise<DryRunResult> {
  const result = dryRun({
    targets: names.map((database) => ({
      database,
      path: join(config.DATA_DIR, `${database}.db`),
      owners: ownersOf(database),
    })),
    folder,
    reserveMb: config.DISK_RESERVE_MB,
    before: (step) => send({ kind: 'progress', detail: step }),
  });
  for (const name of names) prepareAll(join(folder, `${name}.db`), await loadCommands(name));
  return result;
}

/**
 * Does the same as `dryRunOn` with databases that no other process uses: they are migrated in place.
 * @param folder holds the databases
 * @throws Failure migration_mismatch, or any error that kept the trial from being made
 */
export async function tryOn(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, `${name}.db`);
    const db = openWriter(path);
    try {
      migrate(db, ownersOf(name));
    } finally {
      db.close();
    }
    prepareAll(path, await loadCommands(name));
  }
}

/** @throws Failure migration_mismatch when a statement of the writer does not fit the database */
function prepareAll(path: string, commands: ReadonlyMap<string, Command>): void {
  const db = openReader(path);
  try {
    prepared('writer', () => [new Ledger(db, ''), new IdempotencyKeys(db, 0)]);
    for (const [name, command] of commands) prepared(name, () => command.prepare(db));
  } finally {
    db.close();
  }
}
