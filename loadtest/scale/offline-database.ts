import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import Sqlite from 'better-sqlite3';
import { features } from '../../src/features/features.ts';
import { migrate } from '../../src/sqlite/migrations.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { alertOf, seededMovieId } from '../alert.ts';

const BATCH_ROWS = 100_000;
const OWNER = '';

/**
 * Makes the database of a system that has never run, with alerts in it.
 * @param dataDir an empty folder
 * @param rows how many alerts
 * @param signal checked between batches
 */
export async function makeDatabase(dataDir: string, rows: number, signal: AbortSignal): Promise<void> {
  const db = openWriter(join(dataDir, 'main.db'));
  try {
    migrate(
      db,
      features.filter(({ database }) => database === 'main'),
    );
    // A power loss may take the seed: it is made again.
    db.pragma('synchronous = OFF');
    db.pragma('cache_size = -200000');
    db.pragma('wal_autocheckpoint = 10000');
    for (let from = 0; from < rows; from += BATCH_ROWS) {
      signal.throwIfAborted();
      insert(db, from, Math.min(rows, from + BATCH_ROWS));
      await new Promise((resolve) => setImmediate(resolve));
    }
    db.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
}

function insert(db: Database, from: number, to: number): void {
  const { email, notification_date, title, category, imageUrl } = alertOf('');
  const statement = db.prepare(
    `INSERT INTO alerts
       (owner, movie_id, email, notification_date, title, category, image_url, created_at_ms, updated_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const nowMs = Date.now();
  db.transaction(() => {
    for (let index = from; index < to; index += 1) {
      const key = seededMovieId(index);
      statement.run(OWNER, key, email, notification_date, title, category, imageUrl, nowMs, nowMs);
    }
  })();
}

/** @returns how many commits the writer of a running system has made so far */
export function commitsOf(dataDir: string): number {
  const db = new Sqlite(join(dataDir, 'main.db'), { readonly: true, fileMustExist: true });
  try {
    return db.prepare<[], { ordinal: number }>('SELECT ordinal FROM writer_commit').get()!.ordinal;
  } finally {
    db.close();
  }
}
