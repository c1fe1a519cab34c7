import type { Database } from 'better-sqlite3';
import type { ImageMeta } from './schema.ts';

export interface ImageQueries {
  /** Everything but the bytes, of an image that this owner has. */
  readonly findMeta: (owner: string, id: string) => Pick<ImageMeta, 'type' | 'sizeBytes'> | undefined;
  /** Of whoever's image: for those that `findMeta` has found. */
  readonly findBytes: (id: string) => Buffer | undefined;
}

/** Prepares the reads once for a connection. */
export function prepareQueries(db: Database): ImageQueries {
  const findMeta = db.prepare<[string, string], Pick<ImageMeta, 'type' | 'sizeBytes'>>(`
    SELECT type, size_bytes AS sizeBytes
    FROM images JOIN image_owners ON image_key = key AND owner = ?
    WHERE id = ?`);
  const findBytes = db.prepare<[string], Buffer>('SELECT bytes FROM images WHERE id = ?').pluck();
  return {
    findMeta: (owner, id) => findMeta.get(owner, id),
    findBytes: (id) => findBytes.get(id),
  };
}
