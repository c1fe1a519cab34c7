import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { RewindHandler } from '../contract/feature.ts';
import type { Rewind } from '../replication/history/rewind.ts';
import { databasePath } from '../replication/litestream-config.ts';
import { type Database, openReader } from '../sqlite/open.ts';

/** What a feature does when its database has gone back in time. */
export interface Listener {
  readonly feature: string;
  /** Undefined when the feature has nothing to do then. */
  readonly onRewind: RewindHandler | undefined;
}

export interface TellOptions {
  readonly dataDir: string;
  readonly nowMs: number;
  /** The features whose tables the database has. */
  readonly listeners: readonly Listener[];
}

/** @returns the stored report of a rewind that the features have handled; undefined when they have not yet */
export function toldOf(db: Database, { id }: Rewind): string | undefined {
  return db.prepare<[string], string>('SELECT told FROM writer_rewind WHERE id = ?').pluck().get(id);
}

/**
 * Calls the `onRewind` of each feature of a database that has gone back in time. The changes of the features, and the
 * record that they were made, are in the caller's transaction: all of it or nothing.
 *
 * @param db migrated, and in a transaction
 * @returns the report of what was done, for people
 */
export function tellRewind(db: Database, rewind: Rewind, options: TellOptions): string {
  const { id, database, from, to, folder } = rewind;
  const { dataDir, nowMs, listeners } = options;
  const path = databasePath(join(dataDir, folder), database);
  const replaced = openReplaced(path);
  const texts: string[] = [];
  try {
    for (const { feature, onRewind } of listeners) {
      if (!onRewind) continue;
      texts.push(`${feature}: ${handle(db, onRewind, rewind, replaced, nowMs)}`);
    }
  } finally {
    replaced?.close();
  }
  const went = `The database ${database} has gone back from ${describe(from)} to ${describe(to)}`;
  const source = replaced ? '' : ` What was replaced, ${path}, cannot be read.`;
  const told = `${went}.${source}${texts.length > 0 ? ` ${texts.join('. ')}.` : ''}`;
  db.prepare(
    `INSERT INTO writer_rewind (id, from_ordinal, from_at_ms, to_ordinal, to_at_ms, told, at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  ).run(id, from.ordinal, from.atMs, to.ordinal, to.atMs, told, nowMs);
  return told;
}

/** The replaced database may be damaged. When a feature cannot read it, it is called again without it. */
function handle(
  db: Database,
  onRewind: RewindHandler,
  { from, to }: Rewind,
  replaced: Database | undefined,
  nowMs: number,
): string {
  const call = (readable: Database | undefined) =>
    db.transaction(() => onRewind(db, { from, to, replaced: readable, nowMs }))();
  try {
    return call(replaced);
  } catch (error) {
    if (!replaced || !(error instanceof Sqlite.SqliteError)) throw error;
    return `${call(undefined)} (what was replaced cannot be read: ${error.message})`;
  }
}

/** @returns a read-only connection; undefined when the file is missing, or is no database any more */
function openReplaced(path: string): Database | undefined {
  let db: Database | undefined;
  try {
    db = openReader(path);
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  } catch {
    db?.close();
    return undefined;
  }
}

function describe({ ordinal, atMs }: Rewind['from']): string {
  return ordinal === 0 ? 'its beginning' : `commit ${ordinal} of ${new Date(atMs).toISOString()}`;
}
