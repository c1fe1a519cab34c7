import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { commitPageOf, commitRowIn } from '../../../src/replication/restore/commit-row.ts';
import { migrate } from '../../../src/sqlite/migrations.ts';
import { openWriter } from '../../../src/sqlite/open.ts';
import { CommitCounter } from '../../../src/writer/commit-counter.ts';
import { temporaryFolder } from '../../support/system.ts';

const MIGRATIONS = new URL('../../../src/sqlite/migrations/', import.meta.url);
const PAGE_BYTES = 4096;
const NOW_MS = Date.UTC(2026, 0);

t.test('the page of the last commit is read whatever outcomes it has beside its number', async (t) => {
  const path = join(temporaryFolder(t), 'main.db');
  const db = openWriter(path);
  t.teardown(() => db.close());
  migrate(db, [{ name: 'writer', migrations: MIGRATIONS }]);
  const counter = new CommitCounter(db, 'a');
  const page = () => {
    db.pragma('wal_checkpoint(TRUNCATE)');
    const start = (commitPageOf(db)! - 1) * PAGE_BYTES;
    return readFileSync(path).subarray(start, start + PAGE_BYTES);
  };
  t.strictSame(commitRowIn(page()), { ordinal: 0, atMs: 0 }, 'before the first, as the migrations leave it');
  for (const [place, sizeBytes] of [0, 1, 60, 120, 130, 3500, 20_000].entries()) {
    counter.count(NOW_MS + place, 'x'.repeat(sizeBytes));
    t.strictSame(commitRowIn(page()), { ordinal: place + 1, atMs: NOW_MS + place }, `${sizeBytes} bytes`);
  }
  counter.count(NOW_MS, null);
  t.strictSame(commitRowIn(page()), { ordinal: 8, atMs: NOW_MS });
  db.exec('CREATE TABLE other (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c INTEGER, d INTEGER, e TEXT)');
  db.exec(`INSERT INTO other VALUES (1, 5, ${NOW_MS}, 3, 4, 'x')`);
  db.pragma('wal_checkpoint(TRUNCATE)');
  const root = db
    .prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'other'")
    .pluck()
    .get()!;
  t.equal(commitRowIn(readFileSync(path).subarray((root - 1) * PAGE_BYTES, root * PAGE_BYTES)), undefined);
});
