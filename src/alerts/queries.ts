import type { Database } from 'better-sqlite3';
import type { Alert } from './schema.ts';

const FIELDS = 'movie_id AS movieId, email, notification_date, title, category, image_url AS imageUrl';

export interface AlertQueries {
  readonly find: (owner: string, movieId: string) => Alert | undefined;
  /** At most `limit` of the owner's alerts made before the one with `beforeId`, the newest first. */
  readonly listBefore: (
    owner: string,
    beforeId: number,
    limit: number,
  ) => (Alert & { readonly id: number })[];
}

/** Prepares the reads once for a connection. */
export function prepareQueries(db: Database): AlertQueries {
  const find = db.prepare<[string, string], Alert>(
    `SELECT ${FIELDS} FROM alerts WHERE owner = ? AND movie_id = ?`,
  );
  const listBefore = db.prepare<[string, number, number], Alert & { id: number }>(
    `SELECT ${FIELDS}, id FROM alerts WHERE owner = ? AND id < ? ORDER BY id DESC LIMIT ?`,
  );
  return {
    find: (owner, movieId) => find.get(owner, movieId),
    listBefore: (owner, beforeId, limit) => listBefore.all(owner, beforeId, limit),
  };
}
