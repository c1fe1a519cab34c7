import { openReader } from '../../src/sqlite/open.ts';

/** @returns the ids of the notes in a database file, in their order */
export function notesIn(path: string): string[] {
  const db = openReader(path);
  try {
    return db.prepare<[], string>('SELECT id FROM notes ORDER BY id').pluck().all();
  } finally {
    db.close();
  }
}
