import { join } from 'node:path';
import Sqlite, { type Database } from 'better-sqlite3';
import type { Stage } from './stage.ts';

/** Reads the stage's main database. */
export function readDatabase<Result>(stage: Stage, read: (db: Database) => Result): Result {
  const db = new Sqlite(join(stage.dataDir, 'main.db'), { readonly: true, fileMustExist: true });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

/** @param file as `Deployment.addMigration` returned it */
export function isMigrated(stage: Stage, file: string): boolean {
  return readDatabase(
    stage,
    (db) => db.prepare('SELECT 1 FROM migrations WHERE name = ?').get(file) !== undefined,
  );
}
