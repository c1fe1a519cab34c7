import { Failure } from '../errors.ts';
import { type Commands, defineCommand } from '../feature.ts';
import { type ImageMeta, imageMeta } from './schema.ts';

/**
 * Keeps an image, whose bytes come as the operation's blob. `created` is false when the identical one was there.
 * The id is trusted: the worker has hashed the bytes, and the one writer should not spend its time on it again.
 */
const put = defineCommand({
  input: imageMeta,
  prepare(db) {
    const insert = db.prepare<[ImageMeta & { nowMs: number; blob: Buffer }]>(`
      INSERT INTO images (id, type, size_bytes, created_at_ms, bytes)
      VALUES (@id, @type, @sizeBytes, @nowMs, @blob)
      ON CONFLICT (id) DO NOTHING`);
    return (input, { blob, nowMs }) => {
      if (blob?.length !== input.sizeBytes) {
        throw new Failure('internal', 'The image did not reach the writer whole');
      }
      return { created: insert.run({ ...input, nowMs, blob }).changes === 1 };
    };
  },
});

export const commands = { put } satisfies Commands;
