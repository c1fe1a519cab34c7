import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { RewindHandler } from '../contract/feature.ts';
import type { Rewind } from '../replication/history/rewind.ts';
import { databasePath } from '../replication/litestream-config.ts';
import { type Database, openReader } from '../sqlite/open.ts';

/** What a feature does when its database has gone back. */
export interface Listener {
  readonly feature: string;
  /** Undefined for one that has nothing to do then. */
  readonly onRewind: RewindHandler | undefined;
}

export interface TellOptions {
  readonly dataDir: string;
  readonly nowMs: number;
  /** The features whose tables the database has. */
  readonly listeners: readonly Listener[];
}

/** @returns what was told of it; undefined when nobody has been told yet */
export function toldOf(db: Database, { id }: Rewind): string | undefined {
  return db.prepare<[string], string>('SELECT told FROM writer_rewind WHERE id = ?').pluck().get(id);
}

/**
 * Tells the features of a database that it has gone back. What they do, and that it was done, is in the transaction of the
 * caller: all of it or nothing.
 *
 * @param db has every table, in a transaction
 * @returns what came of it, for people
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

/** What is damaged may be readable in part: what a feature cannot read of it, it has to do without. */
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

/** @returns undefined where it is not there, or no database any more */
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
