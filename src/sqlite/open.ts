import { existsSync, realpathSync } from 'node:fs';
import Sqlite, { type Database } from 'better-sqlite3';
import { demandFile } from './data-dir.ts';

export type { Database };

/** How long a connection waits for the lock of another. Litestream's checkpoints hold one for moments. */
export const BUSY_TIMEOUT_MS = 5000;
const SWITCH_RETRY_MS = 10;

/**
 * Opens the one read-write connection of a database: in WAL mode, with every commit on disk before it returns, and
 * without checkpoints of its own, because Litestream is the only checkpointer. It must not be closed while the system
 * runs: the last close checkpoints and deletes the WAL, and Litestream then has to begin a new generation.
 *
 * @param path the database file, made if it does not exist
 */
export function openWriter(path: string): Database {
  const db = new Sqlite(path);
  // Before journal_mode: switching to WAL takes a lock that a reader may hold.
  db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  switchToWal(db);
  db.pragma('synchronous = FULL');
  db.pragma('wal_autocheckpoint = 0');
  db.pragma('foreign_keys = ON');
  return db;
}

/**
 * Retries, because the switch needs an exclusive lock on the whole file, and SQLite does not wait for that one: while
 * Litestream opens the same new database, the switch fails at once, whatever the busy timeout.
 */
function switchToWal(db: Database): void {
  const deadlineMs = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      db.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      const isBusy = error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY');
      if (!isBusy || performance.now() > deadlineMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SWITCH_RETRY_MS);
    }
  }
}

/**
 * Opens a connection that cannot write, and whose close cannot checkpoint.
 * @param path an existing database file, or a symbolic link to one, as a dry run makes it
 * @throws Failure data_dir_unusable when it is no file
 */
export function openReader(path: string): Database {
  if (existsSync(path)) demandFile(realpathSync(path));
  const db = new Sqlite(path, { readonly: true, fileMustExist: true });
  db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  db.pragma('query_only = ON');
  return db;
}
