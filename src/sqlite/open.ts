import Sqlite, { type Database } from 'better-sqlite3';

export type { Database };

/** How long a connection waits for another's lock: Litestream's checkpoints hold one for moments. */
const BUSY_TIMEOUT_MS = 5000;

/**
 * Opens the one read-write connection of a database: WAL, every commit on disk before it is answered, and no
 * checkpoint of its own, because Litestream is the only checkpointer. It must never be closed while the system
 * lives: a last close checkpoints and deletes the WAL, and Litestream then has to begin a new generation.
 *
 * @param path the database file, made if it does not exist
 */
export function openWriter(path: string): Database {
  const db = new Sqlite(path);
  // Before journal_mode: switching to WAL takes a lock that a reader may hold.
  db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('wal_autocheckpoint = 0');
  db.pragma('foreign_keys = ON');
  return db;
}

/**
 * Opens a connection that cannot write, and whose close cannot checkpoint.
 * @param path an existing database file
 */
export function openReader(path: string): Database {
  const db = new Sqlite(path, { readonly: true, fileMustExist: true });
  db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  db.pragma('query_only = ON');
  return db;
}
