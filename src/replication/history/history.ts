import { existsSync, statSync } from 'node:fs';
import { type Database, openReader } from '../../sqlite/open.ts';

/** Begins the name of a session that stands for commits of a release that opens none; the first ordinal follows. */
export const OLDER_SESSION_PREFIX = 'older-';

/** Names a commit among all that any copy of a database ever had. */
export interface Position {
  /** Random, of the activation of a writer that made it. */
  readonly session: string;
  readonly ordinal: number;
}

/** The commits of one activation of a writer: from this one to the next session's first. */
export interface Session {
  readonly session: string;
  readonly firstOrdinal: number;
}

/** Commits that somebody has decided to give up. */
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
  /** When that was, milliseconds since the epoch; 0 where there is none. */
  readonly lastAtMs: number;
  /** What it was decided to be without. */
  readonly abandoned: readonly Abandoned[];
  /** The generations that the replica had when that was decided. */
  readonly dismissed: readonly string[];
}

/**
 * How a history stands to another one: they are equal, it is a part of the other (behind), the other is a part of it
 * (ahead), or each has commits that the other has not (fork).
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
 * Reads what a database consists of, its WAL included. It changes nothing.
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

/** As `readHistory`; of one that is damaged it may not be readable, and then there is none. */
export function historyOrNone(path: string): History {
  try {
    return readHistory(path);
  } catch {
    return NO_HISTORY;
  }
}

/** @returns what an open database consists of, as its transaction sees it */
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
 * What a session has made after a commit that was given up follows from that one, and is given up with it, also where nobody
 * knew of it: a writer that is killed may leave one more in the replica than its database has.
 * @returns whether it was decided that a history is without a commit
 */
export function abandons({ abandoned }: Pick<History, 'abandoned'>, position: Position | undefined): boolean {
  return (
    position !== undefined &&
    abandoned.some(
      ({ session, firstOrdinal }) => session === position.session && position.ordinal >= firstOrdinal,
    )
  );
}

/** @returns the last commit of a history that is one of those given up; undefined where it has none of them */
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

/** @returns whether a commit is one of a history's; every history contains what is before the first one */
export function contains(history: History, position: Position | undefined): boolean {
  if (position === undefined) return true;
  const own = rangeOf(history, position.session);
  return own !== undefined && position.ordinal >= own.from && position.ordinal <= own.to;
}

/** @returns how `a` stands to `b`; what one has decided to be without counts as a part of it */
export function relate(a: History, b: History): Relation {
  if (abandons(a, b.last)) return 'ahead';
  if (abandons(b, a.last)) return 'behind';
  const hasAll = contains(a, b.last);
  const isPart = contains(b, a.last);
  if (hasAll) return isPart ? 'equal' : 'ahead';
  return isPart ? 'behind' : 'fork';
}

/**
 * @returns the last commit that both have; undefined when they have none in common
 */
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
