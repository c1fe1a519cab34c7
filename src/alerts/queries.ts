import type { Database } from 'better-sqlite3';
import type { Alert } from './schema.ts';

const FIELDS = 'movie_id AS movieId, email, notification_date, title, category, image_url AS imageUrl';

export interface AlertQueries {
  readonly find: (movieId: string) => Alert | undefined;
  /** At most `limit` alerts made before the one with `beforeId`, the newest first. */
  readonly listBefore: (beforeId: number, limit: number) => (Alert & { readonly id: number })[];
}

/** Prepares the reads once for a connection. */
export function prepareQueries(db: Database): AlertQueries {
  const find = db.prepare<[string], Alert>(`SELECT ${FIELDS} FROM alerts WHERE movie_id = ?`);
  const listBefore = db.prepare<[number, number], Alert & { id: number }>(
    `SELECT ${FIELDS}, id FROM alerts WHERE id < ? ORDER BY id DESC LIMIT ?`,
  );
  return {
    find: (movieId) => find.get(movieId),
    listBefore: (beforeId, limit) => listBefore.all(beforeId, limit),
  };
}
