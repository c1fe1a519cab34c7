import { existsSync, statSync } from 'node:fs';
import { type Database, openReader } from '../../sqlite/open.ts';

/** Commits of a release without sessions count as one session, whose name is this and the first ordinal. */
export const OLDER_SESSION_PREFIX = 'older-';

/** Names a commit among all that any copy of a database ever had. */
export interface Position {
  /** Random; names the activation of the writer that made the commit. */
  readonly session: string;
  readonly ordinal: number;
}

/** The commits of one activation of a writer: from this one to the next session's first. */
export interface Session {
  readonly session: string;
  readonly firstOrdinal: number;
}

/** Commits that a restore, a healing or a start has given up. */
export interface Abandoned {
  readonly session: string;
  readonly firstOrdinal: number;
  readonly lastOrdinal: number;
}

/** The commits that a database consists of. */
export interface History {
  /** In the order of their commits. */
  readonly sessions: readonly Session[];
  /** Its last commit; undefined where there is none yet. */
  readonly last: Position | undefined;
  /** Time of the last commit, milliseconds since the epoch; 0 where there is none. */
  readonly lastAtMs: number;
  /** The commits that were given up. */
  readonly abandoned: readonly Abandoned[];
  /** The generations that the replica had at that decision; they are never compared again. */
  readonly dismissed: readonly string[];
}

/**
 * How one history stands to another: both have the same commits (equal), it is a part of the other (behind), the other
 * is a part of it (ahead), or each has commits that the other lacks (fork).
 */
export type Relation = 'equal' | 'behind' | 'ahead' | 'fork';

export const NO_HISTORY: History = {
  sessions: [],
  last: undefined,
  lastAtMs: 0,
  abandoned: [],
  dismissed: [],
};

/**
 * Reads the history of a database, its WAL included. It changes nothing.
 *
 * @param path the database file; one that does not exist or is empty has no history
 * @throws SqliteError when it cannot be read
 */
export function readHistory(path: string): History {
  if (!existsSync(path) || statSync(path).size === 0) return NO_HISTORY;
  const db = openReader(path);
  try {
    return db.transaction(() => historyOf(db)).deferred();
  } finally {
    db.close();
  }
}

/** As `readHistory`, but `NO_HISTORY` where the database cannot be read, as when it is damaged. */
export function historyOrNone(path: string): History {
  try {
    return readHistory(path);
  } catch {
    return NO_HISTORY;
  }
}

/** @returns the history of an open database, as its transaction sees it */
export function historyOf(db: Database): History {
  const columns = db.prepare<[], string>("SELECT name FROM pragma_table_info('writer_commit')").pluck().all();
  if (columns.length === 0) return NO_HISTORY;
  const counted = columns.includes('session_ordinal') ? 'session_ordinal' : '0';
  const row = db
    .prepare<[], { ordinal: number; atMs: number; counted: number }>(
      `SELECT ordinal, at_ms AS atMs, ${counted} AS counted FROM writer_commit`,
    )
    .get();
  const decided = decidedIn(db);
  if (!row || row.ordinal === 0) return { ...NO_HISTORY, ...decided };
  const named =
    counted === '0'
      ? []
      : db
          .prepare<[], Session>(
            'SELECT session, first_ordinal AS firstOrdinal FROM writer_session ORDER BY first_ordinal',
          )
          .all();
  const firstOfOlder = row.counted + 1;
  const older = { session: `${OLDER_SESSION_PREFIX}${firstOfOlder}`, firstOrdinal: firstOfOlder };
  const sessions = row.ordinal > row.counted ? [...named, older] : named;
  const { session } = sessions.at(-1) ?? older;
  return { sessions, last: { session, ordinal: row.ordinal }, lastAtMs: row.atMs, ...decided };
}

function decidedIn(db: Database): Pick<History, 'abandoned' | 'dismissed'> {
  const isThere = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'writer_decision'").get();
  const rows = isThere
    ? db
        .prepare<[], { abandoned: string; generations: string }>(
          'SELECT abandoned, generations FROM writer_decision ORDER BY at_ms',
        )
        .all()
    : [];
  return {
    abandoned: rows.flatMap(({ abandoned }) => JSON.parse(abandoned) as Abandoned[]),
    dismissed: rows.flatMap(({ generations }) => JSON.parse(generations) as string[]),
  };
}

/**
 * Whatever a session committed after an abandoned commit builds on it, so it is abandoned too, even where nobody knew
 * of it: a killed writer may leave one commit more in the replica than its database has.
 * @returns whether a commit was given up for a history
 */
export function abandons({ abandoned }: Pick<History, 'abandoned'>, position: Position | undefined): boolean {
  return (
    position !== undefined &&
    abandoned.some(
      ({ session, firstOrdinal }) => session === position.session && position.ordinal >= firstOrdinal,
    )
  );
}

/** @returns the last commit of a history that is among these abandoned ones; undefined where it has none of them */
export function lastAbandonedIn(history: History, abandoned: Abandoned): Position | undefined {
  const { session, firstOrdinal, lastOrdinal } = abandoned;
  const own = rangeOf(history, session);
  if (!own || own.from > lastOrdinal || own.to < firstOrdinal) return undefined;
  return { session, ordinal: Math.min(own.to, lastOrdinal) };
}

function rangeOf({ sessions, last }: History, session: string): { from: number; to: number } | undefined {
  const place = sessions.findIndex((one) => one.session === session);
  const own = sessions[place];
  if (!own || !last) return undefined;
  return { from: own.firstOrdinal, to: (sessions[place + 1]?.firstOrdinal ?? last.ordinal + 1) - 1 };
}

/** @returns whether a history has a commit; true for undefined, the position before the first commit */
export function contains(history: History, position: Position | undefined): boolean {
  if (position === undefined) return true;
  const own = rangeOf(history, position.session);
  return own !== undefined && position.ordinal >= own.from && position.ordinal <= own.to;
}

/** @returns how `a` stands to `b`; commits that a history has given up count as a part of it */
export function relate(a: History, b: History): Relation {
  if (abandons(a, b.last)) return 'ahead';
  if (abandons(b, a.last)) return 'behind';
  const hasAll = contains(a, b.last);
  const isPart = contains(b, a.last);
  if (hasAll) return isPart ? 'equal' : 'ahead';
  return isPart ? 'behind' : 'fork';
}

/**
 * @returns whether `left` has exactly one commit more than both have in common, and that is not later than the last one
 *   of `kept`: its writer was killed within it, and nobody was told of it
 */
export function isOneOver(kept: History, left: History): boolean {
  const beyond = (left.last?.ordinal ?? 0) - (commonEnd(kept, left)?.ordinal ?? 0);
  return beyond === 1 && left.lastAtMs <= kept.lastAtMs;
}

/** @returns the last commit that both have; undefined when they have none in common */
export function commonEnd(a: History, b: History): Position | undefined {
  let end: Position | undefined;
  for (const [place, { session, firstOrdinal }] of a.sessions.entries()) {
    if (b.sessions[place]?.session !== session || b.sessions[place]?.firstOrdinal !== firstOrdinal) break;
    const ends = [a, b].map(
      ({ sessions, last }) => (sessions[place + 1]?.firstOrdinal ?? (last?.ordinal ?? 0) + 1) - 1,
    );
    end = { session, ordinal: Math.min(...ends) };
  }
  return end;
}
