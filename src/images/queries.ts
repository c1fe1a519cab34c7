import type { Database } from 'better-sqlite3';
import type { ImageMeta } from './schema.ts';

export interface ImageQueries {
  /** Everything but the bytes. */
  readonly findMeta: (id: string) => Pick<ImageMeta, 'type' | 'sizeBytes'> | undefined;
  readonly findBytes: (id: string) => Buffer | undefined;
}

/** Prepares the reads once for a connection. */
export function prepareQueries(db: Database): ImageQueries {
  const findMeta = db.prepare<[string], Pick<ImageMeta, 'type' | 'sizeBytes'>>(
    'SELECT type, size_bytes AS sizeBytes FROM images WHERE id = ?',
  );
  const findBytes = db.prepare<[string], Buffer>('SELECT bytes FROM images WHERE id = ?').pluck();
  return {
    findMeta: (id) => findMeta.get(id),
    findBytes: (id) => findBytes.get(id),
  };
}
