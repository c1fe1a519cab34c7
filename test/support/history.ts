import { join } from 'node:path';
import type { Test } from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import type { TestRecord } from '../../src/testing/honest-clients.ts';
import { alertOf } from './alert-clients.ts';

/** Holds a history of writes against the database: every acknowledged one is there, once, with its content. */
export function everyWriteIsThere(t: Test, dataDir: string, acknowledged: readonly TestRecord[]): void {
  const db = openReader(join(dataDir, 'main.db'));
  const rows = db.prepare('SELECT movie_id, title, version FROM alerts').all() as {
    movie_id: string;
    title: string;
    version: number;
  }[];
  db.close();
  const byId = new Map(rows.map((row) => [row.movie_id, row]));
  const lost = acknowledged.map(alertOf).filter(({ movieId, title }) => byId.get(movieId)?.title !== title);
  const doubled = rows.filter(({ version }) => version !== 1);
  t.same(lost, [], `each of ${acknowledged.length} acknowledged writes is there`);
  t.same(doubled, [], 'none was applied twice');
}
