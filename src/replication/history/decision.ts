import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Database, openWriter } from '../../sqlite/open.ts';
import { syncToDisk } from '../files.ts';
import { type Abandoned, contains, type History, lastAbandonedIn, type Position } from './history.ts';

/** What was decided about the history of a database when another one took its place. */
export interface Decision {
  /** An operator's restore; the replacement of a damaged or missing one; what a start settled by itself. */
  readonly kind: 'restore' | 'heal' | 'settle';
  /** Ends with the last commit that was kept. */
  readonly cut: History;
  /** The commits that were given up. */
  readonly abandoned: readonly Abandoned[];
  /** Generations that the replica had then, and that are never asked again. */
  readonly dismissed: readonly string[];
  readonly decidedBy: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * @param before what was there; it may not have been readable
 * @param told what is known of it from elsewhere
 * @param cut what takes its place
 * @returns the commits that are in none of what takes its place, with those that were given up before
 */
export function abandonedBy(
  before: History,
  told: readonly (Position | undefined)[],
  cut: History,
): readonly Abandoned[] {
  const rows: Abandoned[] = before.sessions.flatMap(({ session, firstOrdinal }, place) => {
    const lastOrdinal = (before.sessions[place + 1]?.firstOrdinal ?? (before.last?.ordinal ?? 0) + 1) - 1;
    let from = firstOrdinal;
    const own = cut.sessions.findIndex((one) => one.session === session);
    if (own !== -1) from = cut.sessions[own + 1]?.firstOrdinal ?? (cut.last?.ordinal ?? 0) + 1;
    return from <= lastOrdinal ? [{ session, firstOrdinal: from, lastOrdinal }] : [];
  });
  for (const position of told) {
    if (position === undefined || contains(cut, position)) continue;
    const place = rows.findIndex(({ session }) => session === position.session);
    const known = rows[place];
    if (known && position.ordinal > known.lastOrdinal)
      rows[place] = { ...known, lastOrdinal: position.ordinal };
    if (known) continue;
    const firstOrdinal = Math.min(position.ordinal, (cut.last?.ordinal ?? 0) + 1);
    rows.push({ session: position.session, firstOrdinal, lastOrdinal: position.ordinal });
  }
  // What was decided before goes with the database that it is written in.
  for (const each of stillAbandoned(before.abandoned, cut))
    if (![...cut.abandoned, ...rows].some((one) => isDeepStrictEqual(one, each))) rows.push(each);
  return rows;
}

/** @returns what is still given up with a database: what it has again is not */
export function stillAbandoned(abandoned: readonly Abandoned[] = [], history: History): readonly Abandoned[] {
  return abandoned.flatMap((each) => {
    const last = lastAbandonedIn(history, each);
    if (!last) return each;
    return last.ordinal < each.lastOrdinal ? { ...each, firstOrdinal: last.ordinal + 1 } : [];
  });
}

/**
 * Writes a decision into a database that nobody has open, so that every later copy of it knows. It is no commit: the
 * position stays. One that has no place for it yet stays as it is; the mark has it too.
 */
export function recordDecision(path: string, decision: Decision): void {
  const db = openWriter(path);
  try {
    insert(db, decision);
  } finally {
    // The last close writes everything into the file, and removes the WAL.
    db.close();
  }
  syncToDisk(path);
}

function insert(db: Database, { kind, cut, abandoned, dismissed, decidedBy, atMs }: Decision): void {
  if (!db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'writer_decision'").get()) return;
  db.prepare(
    `INSERT INTO writer_decision
       (id, kind, history, cut_session, cut_ordinal, abandoned, generations, decided_by, at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    randomUUID(),
    kind,
    cut.sessions[0]?.session ?? null,
    cut.last?.session ?? null,
    cut.last?.ordinal ?? 0,
    JSON.stringify(abandoned),
    JSON.stringify(dismissed),
    decidedBy,
    atMs,
  );
}
