import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Database, openWriter } from '../../sqlite/open.ts';
import { syncToDisk } from '../files.ts';
import { type Abandoned, contains, type History, lastAbandonedIn, type Position } from './history.ts';

/** A decision about the history of a database, taken when another file took its place. */
export interface Decision {
  /** An operator's restore; the replacement of a damaged or missing database; a start that settled it by itself. */
  readonly kind: 'restore' | 'heal' | 'settle';
  /** The history that was kept; it ends with the last commit that was kept. */
  readonly cut: History;
  /** The commits that were given up. */
  readonly abandoned: readonly Abandoned[];
  /** The generations that the replica had then; they are never compared again. */
  readonly dismissed: readonly string[];
  readonly decidedBy: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * @param before the history of the replaced database; `NO_HISTORY` where it could not be read
 * @param told further commits that it is known to have had
 * @param cut the history that takes its place
 * @returns the commits that are not in `cut`, and those that were given up before
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
  // Earlier decisions are written in the replaced database, and would be lost with it.
  for (const each of stillAbandoned(before.abandoned, cut))
    if (![...cut.abandoned, ...rows].some((one) => isDeepStrictEqual(one, each))) rows.push(each);
  return rows;
}

/** @returns the abandoned commits without those that a history has again */
export function stillAbandoned(abandoned: readonly Abandoned[] = [], history: History): readonly Abandoned[] {
  return abandoned.flatMap((each) => {
    const last = lastAbandonedIn(history, each);
    if (!last) return each;
    return last.ordinal < each.lastOrdinal ? { ...each, firstOrdinal: last.ordinal + 1 } : [];
  });
}

/**
 * Writes a decision into a database that nobody has open, so that every later copy of it has it. It is not counted as a
 * commit: the position stays. A database of an older schema is left as it is; the mark has the decision too.
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
