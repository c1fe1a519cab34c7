import { openReader } from '../../../src/sqlite/open.ts';

export function rowsIn(path: string): number {
  const db = openReader(path);
  try {
    return db.prepare<[], number>('SELECT count(*) FROM rows').pluck().get()!;
  } finally {
    db.close();
  }
}
