import { z } from 'zod';
import { Failure } from '../errors.ts';
import { type Commands, defineCommand } from '../feature.ts';
import { type Alert, alert, movieId, owner } from './schema.ts';

/** Makes an owner's alert of a movie, or replaces it: version 1 tells that it is new. */
const put = defineCommand({
  input: z.object({ owner, alert }),
  prepare(db) {
    const upsert = db.prepare<[Alert & { owner: string; nowMs: number }], { version: number }>(`
      INSERT INTO alerts
        (owner, movie_id, email, notification_date, title, category, image_url, created_at_ms, updated_at_ms)
      VALUES (@owner, @movieId, @email, @notification_date, @title, @category, @imageUrl, @nowMs, @nowMs)
      ON CONFLICT (owner, movie_id) DO UPDATE SET
        email = excluded.email,
        notification_date = excluded.notification_date,
        title = excluded.title,
        category = excluded.category,
        image_url = excluded.image_url,
        version = version + 1,
        updated_at_ms = excluded.updated_at_ms
      RETURNING version`);
    return (input, { nowMs }) => ({
      version: upsert.get({ ...input.alert, owner: input.owner, nowMs })!.version,
    });
  },
});

/** Removes an owner's alert of a movie; Failure not_found when it has none. */
const remove = defineCommand({
  input: z.object({ owner, movieId }),
  prepare(db) {
    const deletion = db.prepare<[string, string]>('DELETE FROM alerts WHERE owner = ? AND movie_id = ?');
    return (input) => {
      if (deletion.run(input.owner, input.movieId).changes === 0) throw noSuchAlert();
      return {};
    };
  },
});

export const commands = { put, remove } satisfies Commands;

/** @returns the one answer for a movie without an alert. */
export function noSuchAlert(): Failure {
  return new Failure('not_found', 'There is no alert for this movie');
}
