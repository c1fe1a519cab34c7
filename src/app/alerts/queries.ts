import type { Database } from 'better-sqlite3';
import type { Status } from './schema.ts';
import { type AlertRow, FIELDS } from './state.ts';

/** Most alerts that one page looks at to find those that its filter lets through: it bounds how long a read takes. */
const SCAN_MAX = 2000;
const FIRST_DATE = '0000-00-00';
const LAST_DATE = '9999-99-99';

export type ListedAlert = AlertRow & { readonly id: number };

export interface ListFilter {
  readonly status?: Status | undefined;
  /** First and last date, as YYYY-MM-DD. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export interface AlertPage {
  readonly rows: readonly ListedAlert[];
  /** Where the next page begins; undefined on the last. */
  readonly nextBeforeId: number | undefined;
}

export interface AlertQueries {
  readonly find: (owner: string, movieId: string) => AlertRow | undefined;
  /**
   * A page of an owner's alerts made before the one with `beforeId`, the newest first. With a filter it may hold fewer
   * than `limit` and yet not be the last: see SCAN_MAX.
   */
  readonly list: (owner: string, beforeId: number, limit: number, filter: ListFilter) => AlertPage;
  /** The key that cursors are sealed with. */
  readonly cursorKey: () => Buffer;
}

/** Prepares the one way to find an alert, for those who write too. */
export function prepareFind(db: Database): AlertQueries['find'] {
  const find = db.prepare<[string, string], AlertRow>(
    `SELECT ${FIELDS} FROM alerts WHERE owner = ? AND movie_id = ?`,
  );
  return (owner, movieId) => find.get(owner, movieId);
}

/** @returns the key that unsubscribe links are sealed with; undefined as long as there is none */
export function prepareUnsubscribeKey(db: Database): () => Buffer | undefined {
  const find = db.prepare<[], Buffer>('SELECT value FROM unsubscribe_key').pluck();
  return () => find.get();
}

/** Prepares the reads once for a connection. */
export function prepareQueries(db: Database): AlertQueries {
  const newest = `SELECT ${FIELDS}, id FROM alerts WHERE owner = ? AND id < ?`;
  const all = db.prepare<[string, number, number], ListedAlert>(`${newest} ORDER BY id DESC LIMIT ?`);
  // The list repeats the condition of the index, or else SQLite would not use it.
  const outOfLine = db.prepare<[string, number, string, number], ListedAlert>(
    `${newest} AND status = ? AND status IN ('sending', 'failed', 'cancelled') ORDER BY id DESC LIMIT ?`,
  );
  const cursorKey = db.prepare<[], Buffer>('SELECT value FROM cursor_key').pluck();

  function candidates(owner: string, beforeId: number, status: Status | undefined): Iterable<ListedAlert> {
    if (status === 'sending' || status === 'failed' || status === 'cancelled') {
      return outOfLine.iterate(owner, beforeId, status, SCAN_MAX);
    }
    return all.iterate(owner, beforeId, SCAN_MAX);
  }

  function filtered(owner: string, beforeId: number, limit: number, filter: ListFilter): AlertPage {
    const { status, from = FIRST_DATE, to = LAST_DATE } = filter;
    const rows: ListedAlert[] = [];
    let scanned = 0;
    let lastId = 0;
    for (const row of candidates(owner, beforeId, status)) {
      const { notification_date: date } = row;
      if ((status === undefined || row.status === status) && date >= from && date <= to) {
        if (rows.length === limit) return { rows, nextBeforeId: lastId };
        rows.push(row);
      }
      scanned += 1;
      lastId = row.id;
    }
    return { rows, nextBeforeId: scanned === SCAN_MAX ? lastId : undefined };
  }

  return {
    find: prepareFind(db),
    list(owner, beforeId, limit, filter) {
      if (filter.status !== undefined || filter.from !== undefined || filter.to !== undefined) {
        return filtered(owner, beforeId, limit, filter);
      }
      // One more than asked for tells whether there is another page.
      const rows = all.all(owner, beforeId, limit + 1);
      const page = rows.slice(0, limit);
      return { rows: page, nextBeforeId: rows.length > limit ? page.at(-1)!.id : undefined };
    },
    cursorKey: () => cursorKey.get()!,
  };
}
