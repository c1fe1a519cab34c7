import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openWriter } from '../../src/sqlite/open.ts';
import { WalIndex } from '../../src/sqlite/wal-index.ts';
import { temporaryFolder } from '../support/system.ts';

t.test('the position is the end of the last commit, byte for byte what stands in the WAL file', async (t) => {
  const path = join(temporaryFolder(t), 'a.db');
  const db = openWriter(path);
  db.exec('CREATE TABLE a (x)');
  const index = new WalIndex(path);
  for (let row = 0; row < 50; row += 1) {
    db.prepare('INSERT INTO a VALUES (?)').run('x'.repeat(row * 100));
    t.equal(index.read().offsetBytes, statSync(`${path}-wal`).size, `after commit ${row}`);
  }
});

t.test('a checkpoint shows in the backfill, and the WAL that then begins anew has other salts', async (t) => {
  const path = join(temporaryFolder(t), 'a.db');
  const db = openWriter(path);
  db.exec('CREATE TABLE a (x); INSERT INTO a VALUES (1)');
  const index = new WalIndex(path);
  const before = index.read();
  t.equal(before.backfilledFrames, 0);
  db.pragma('wal_checkpoint(PASSIVE)');
  t.equal(index.read().backfilledFrames, before.frames);
  db.exec('INSERT INTO a VALUES (2)');
  const after = index.read();
  t.not(after.salt, before.salt);
  t.ok(after.offsetBytes < before.offsetBytes);
});

t.test('the largest page size, which its field cannot hold, is read right', async (t) => {
  const path = join(temporaryFolder(t), 'a.db');
  const Sqlite = (await import('better-sqlite3')).default;
  const db = new Sqlite(path);
  db.pragma('page_size = 65536');
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE a (x)');
  t.equal(new WalIndex(path).read().offsetBytes, statSync(`${path}-wal`).size);
});
