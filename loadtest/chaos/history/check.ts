import { isDeepStrictEqual } from 'node:util';
import Sqlite from 'better-sqlite3';
import { isAcknowledged } from '../../../src/testing/record.ts';
import { alertFor, isDenied, type RequestRecord } from '../clients/record.ts';

interface Row {
  readonly movieId: string;
  readonly email: string;
  readonly notification_date: string;
  readonly title: string;
  readonly category: string;
  readonly imageUrl: string;
  readonly version: number;
}

/** Where a history and a database disagree: keys, by kind of disagreement. */
export interface Disagreement {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly halfApplied: readonly string[];
  readonly deniedYetApplied: readonly string[];
  readonly acknowledged: number;
  /** Damage that SQLite finds in the file itself. */
  readonly damage: readonly string[];
}

/**
 * Compares the history of the clients' writes with a database. Each write has a key of its own and is sent once. An
 * acknowledged write must be there once (version 1) and whole. A denied write must not be there. A write without an
 * answer may be there or not, but once and whole.
 *
 * @param path main.db, or a restored copy of it; opened read-only
 */
export function checkHistory(path: string, records: readonly RequestRecord[]): Disagreement {
  const db = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    const select = `SELECT movie_id AS movieId, email, notification_date, title, category,
      image_url AS imageUrl, version FROM alerts`;
    const rows = new Map(
      db
        .prepare<[], Row>(select)
        .all()
        .map((row) => [row.movieId, row]),
    );
    const written = records.filter(({ kind }) => kind === 'write');
    const keysOf = (some: readonly RequestRecord[]) => some.map(({ key }) => key);
    const acknowledged = keysOf(written.filter(isAcknowledged));
    const integrity = db.pragma('integrity_check') as { integrity_check: string }[];
    return {
      lost: acknowledged.filter((key) => !rows.has(key)),
      doubled: [...rows.values()].filter(({ version }) => version !== 1).map(({ movieId }) => movieId),
      halfApplied: [...rows.values()].filter((row) => !isWhole(row)).map(({ movieId }) => movieId),
      deniedYetApplied: keysOf(written.filter(isDenied)).filter((key) => rows.has(key)),
      acknowledged: acknowledged.length,
      damage: integrity.map(({ integrity_check }) => integrity_check).filter((text) => text !== 'ok'),
    };
  } finally {
    db.close();
  }
}

function isWhole({ version: _version, ...row }: Row): boolean {
  return isDeepStrictEqual(row, alertFor(row.movieId));
}

/** @returns the counts, under the names that the limits use */
export function disagreementFigures(found: Disagreement): Record<string, number> {
  return {
    acknowledged: found.acknowledged,
    'acknowledged, then lost': found.lost.length,
    'applied twice': found.doubled.length,
    'half applied': found.halfApplied.length,
    'denied, yet applied': found.deniedYetApplied.length,
    'damaged pages': found.damage.length,
  };
}
