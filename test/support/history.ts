import { join } from 'node:path';
import type { Test } from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import type { TestRecord } from '../../src/testing/honest-clients.ts';
import { noteOf } from './note-clients.ts';

/** Holds a history of writes against the database: every acknowledged one is there, once, with its content. */
export function everyWriteIsThere(t: Test, dataDir: string, acknowledged: readonly TestRecord[]): void {
  const db = openReader(join(dataDir, 'main.db'));
  const rows = db.prepare('SELECT id, text, version FROM notes').all() as {
    id: string;
    text: string;
    version: number;
  }[];
  db.close();
  const byId = new Map(rows.map((row) => [row.id, row]));
  const lost = acknowledged.map(noteOf).filter(({ id, text }) => byId.get(id)?.text !== text);
  const doubled = rows.filter(({ version }) => version !== 1);
  t.same(lost, [], `each of ${acknowledged.length} acknowledged writes is there`);
  t.same(doubled, [], 'none was applied twice');
}
