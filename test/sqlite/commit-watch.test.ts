import { join } from 'node:path';
import t from 'tap';
import { CommitWatch } from '../../src/sqlite/commit-watch.ts';
import { openReader, openWriter } from '../../src/sqlite/open.ts';
import { temporaryFolder } from '../support/system.ts';

t.test('a watch sees each commit of another connection, and nothing else', async (t) => {
  const path = join(temporaryFolder(t), 'main.db');
  const writer = openWriter(path);
  writer.exec('CREATE TABLE kept (id INTEGER PRIMARY KEY) STRICT');
  const reader = openReader(path);
  const count = reader.prepare('SELECT count(*) FROM kept').pluck();
  count.get();
  const watch = new CommitWatch(reader);
  t.ok(watch.mayHaveChanged(), 'nothing is known yet');
  t.notOk(watch.mayHaveChanged());
  const insert = writer.prepare('INSERT INTO kept DEFAULT VALUES');
  const seen: [beforeCommit: boolean, behind: boolean, count: unknown, again: boolean][] = [];
  for (let commit = 1; commit <= 100; commit += 1) {
    writer.exec('BEGIN IMMEDIATE');
    insert.run();
    const beforeCommit = watch.mayHaveChanged();
    writer.exec('COMMIT');
    seen.push([beforeCommit, watch.mayHaveChanged(), count.get(), watch.mayHaveChanged()]);
  }
  t.strictSame(
    seen,
    Array.from({ length: 100 }, (_, index) => [false, true, index + 1, false]),
  );
  writer.exec('BEGIN IMMEDIATE');
  insert.run();
  writer.exec('ROLLBACK');
  t.notOk(watch.mayHaveChanged(), 'given up');
  // All of it goes into the database, and the WAL begins anew.
  writer.pragma('wal_checkpoint(RESTART)');
  watch.mayHaveChanged();
  insert.run();
  t.ok(watch.mayHaveChanged(), 'the first of a new WAL');
  t.equal(count.get(), 101);
  writer.close();
  reader.close();
});
