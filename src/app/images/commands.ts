import { type Commands, defineCommand } from '../../contract/command.ts';
import { Failure } from '../../platform/errors.ts';
import { type ImageMeta, upload } from './schema.ts';

const MB_BYTES = 1024 * 1024;

interface Ownership {
  readonly owner: string;
  readonly key: number;
  readonly nowMs: number;
}

interface Kept {
  readonly created: boolean;
  /** As it was then, so that a repetition gets the same link. Releases before did not tell. */
  readonly publicUrl?: string | null;
}

/**
 * Keeps an image for an owner, whose bytes come as the operation's blob. `created` is false when this owner had the
 * identical one; another's does not show. Failure quota_exceeded when it would be more than the owner may have.
 * The id is trusted: the worker has hashed the bytes, and the one writer should not spend its time on it again.
 */
const put = defineCommand({
  input: upload,
  prepare(db) {
    const findKey = db.prepare<[string], number>('SELECT key FROM images WHERE id = ?').pluck();
    const insert = db.prepare<[ImageMeta & { nowMs: number; blob: Buffer }]>(`
      INSERT INTO images (id, type, size_bytes, created_at_ms, bytes)
      VALUES (@id, @type, @sizeBytes, @nowMs, @blob)`);
    const own = db.prepare<[Ownership]>(`
      INSERT INTO image_owners (owner, image_key, created_at_ms) VALUES (@owner, @key, @nowMs)
      ON CONFLICT (owner, image_key) DO NOTHING`);
    const addUp = db
      .prepare<[string, number], number>(`
        INSERT INTO image_usage (owner, size_bytes) VALUES (?, ?)
        ON CONFLICT (owner) DO UPDATE SET size_bytes = size_bytes + excluded.size_bytes
        RETURNING size_bytes`)
      .pluck();
    return ({ owner, quotaBytes: _older, ...meta }, { blob, nowMs, config }): Kept => {
      const quotaBytes = config.UPLOAD_QUOTA_MB * MB_BYTES;
      const publicUrl = config.PUBLIC_URL ?? null;
      if (blob?.length !== meta.sizeBytes) {
        throw new Failure('internal', 'The image did not reach the writer whole');
      }
      const key = findKey.get(meta.id) ?? Number(insert.run({ ...meta, nowMs, blob }).lastInsertRowid);
      if (own.run({ owner, key, nowMs }).changes === 0) return { created: false, publicUrl };
      const usedBytes = addUp.get(owner, meta.sizeBytes) as number;
      // What was written by now is undone with the refusal.
      if (quotaBytes > 0 && usedBytes > quotaBytes) throw quotaExceeded(meta, quotaBytes, usedBytes);
      return { created: true, publicUrl };
    };
  },
});

export const commands = { put } satisfies Commands;

function quotaExceeded({ sizeBytes }: ImageMeta, quotaBytes: number, usedBytes: number): Failure {
  const left = Math.max(0, quotaBytes - (usedBytes - sizeBytes));
  return new Failure(
    'quota_exceeded',
    `The image has ${sizeBytes} bytes, and of your ${quotaBytes / MB_BYTES} MB ${left} bytes are left`,
  );
}
