import { join } from 'node:path';
import type { Test } from 'tap';
import type { WriteRecord } from '../../loadtest/support/honest-client.ts';
import { openReader } from '../../src/sqlite/open.ts';

/** Holds a history of writes against the database: every acknowledged one is there, once, with its content. */
export function everyWriteIsThere(t: Test, dataDir: string, acknowledged: readonly WriteRecord[]): void {
  const db = openReader(join(dataDir, 'main.db'));
  const rows = db.prepare('SELECT movie_id, title, version FROM alerts').all() as {
    movie_id: string;
    title: string;
    version: number;
  }[];
  db.close();
  const byId = new Map(rows.map((row) => [row.movie_id, row]));
  const lost = acknowledged.filter(({ movieId, title }) => byId.get(movieId)?.title !== title);
  const doubled = rows.filter(({ version }) => version !== 1);
  t.same(lost, [], `each of ${acknowledged.length} acknowledged writes is there`);
  t.same(doubled, [], 'none was applied twice');
}
