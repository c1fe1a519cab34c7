import { existsSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openReader, openWriter } from '../../src/sqlite/open.ts';
import { WalIndex } from '../../src/sqlite/wal-index.ts';
import { WalWatch } from '../../src/writer/wal-watch.ts';
import { foreignConnection } from '../support/foreign-connection.ts';
import { temporaryFolder } from '../support/system.ts';

const MB_BYTES = 1024 * 1024;
const SNAPSHOT = 'BEGIN; SELECT count(*) FROM t';
/** Without it nobody tells who holds a lock. */
const isLinux = existsSync('/proc/locks');
const skip = isLinux ? false : 'no /proc/locks here';

function databaseOf(t: Test) {
  const path = join(temporaryFolder(t), 'main.db');
  const db = openWriter(path);
  t.teardown(() => db.close());
  db.exec('CREATE TABLE t (value BLOB)');
  const index = new WalIndex(path);
  const grow = (megabytes: number) => {
    const insert = db.prepare('INSERT INTO t VALUES (zeroblob(?))');
    for (let count = 0; count < megabytes; count += 1) insert.run(MB_BYTES);
  };
  const sizeMb = () => Math.floor(statSync(`${path}-wal`).size / MB_BYTES);
  return { path, db, index, watch: new WalWatch(db, index), grow, sizeMb };
}

t.test(
  'a reader counts from when it is behind the last commit, and is named past its bound',
  { skip },
  async (t) => {
    const { path, watch, grow } = databaseOf(t);
    const reader = await foreignConnection(t, path, SNAPSHOT);
    watch.look(0);
    watch.look(60_000);
    t.equal(watch.report(60_000).oldestReaderMs, 0, 'it reads the newest');
    grow(1);
    watch.look(61_000);
    watch.look(90_000);
    t.equal(watch.report(90_000).oldestReaderMs, 29_000);
    t.strictSame(watch.problems('main', 90_000), []);
    watch.look(92_000);
    const [problem] = watch.problems('main', 92_000);
    t.equal(problem?.name, 'wal');
    t.match(
      problem?.reason,
      new RegExp(`a reader stays for more than 30 s\\. \\S+ \\(process ${reader.pid}\\) reads an old state`),
    );
    await reader.end();
    watch.look(93_000);
    t.equal(watch.report(93_000).oldestReaderMs, 0);
    t.strictSame(watch.problems('main', 93_000), []);
  },
);

t.test('readers that come and go are none that stays', { skip }, async (t) => {
  const { path, watch, grow } = databaseOf(t);
  const first = await foreignConnection(t, path, SNAPSHOT);
  grow(1);
  watch.look(0);
  await first.end();
  await foreignConnection(t, path, SNAPSHOT);
  grow(1);
  watch.look(60_000);
  t.equal(watch.report(60_000).oldestReaderMs, 0);
});

t.test(
  'a checkpoint is put off while a reader keeps it from copying anything, and is due when it goes',
  { skip },
  async (t) => {
    const { path, watch, grow } = databaseOf(t);
    const reader = await foreignConnection(t, path, SNAPSHOT);
    grow(1);
    const old = new Date(1_000_000);
    utimesSync(path, old, old);
    const ageAtMs = (nowMs: number, isShort = false) => {
      watch.look(nowMs);
      watch.postpone(nowMs, isShort);
      return Date.now() - statSync(path).mtimeMs;
    };
    const dayMs = 24 * 60 * 60_000;
    t.ok(ageAtMs(0) > dayMs);
    t.ok(ageAtMs(4000) > dayMs);
    t.ok(ageAtMs(6000) < 60_000, 'put off');
    await reader.end();
    const ageMs = ageAtMs(7000);
    t.ok(ageMs > 60_000 && ageMs < dayMs, 'due at once');
    utimesSync(path, old, old);
    t.ok(ageAtMs(8000) > dayMs);
    const now = new Date();
    utimesSync(path, now, now);
    t.ok(ageAtMs(9000) < 60_000);
    t.ok(ageAtMs(10_000, true) > 60_000, 'due, where the disk needs what the WAL holds');
  },
);

t.test('a foreign write lock is told with its holder, the own one is not', { skip }, async (t) => {
  const { path, db, watch } = databaseOf(t);
  db.exec('BEGIN IMMEDIATE');
  watch.look(0);
  watch.look(10_000);
  t.equal(watch.locker(10_000), undefined);
  db.exec('ROLLBACK');
  const { pid, end } = await foreignConnection(t, path, 'BEGIN IMMEDIATE');
  watch.look(11_000);
  t.equal(watch.locker(11_000), undefined, 'not before it has stayed');
  watch.look(14_000);
  t.match(watch.locker(14_000), new RegExp(`\\(process ${pid}\\)$`));
  await end();
  watch.look(15_000);
  t.equal(watch.locker(15_000), undefined);
});

t.test('a WAL that has grown is cut when it has begun anew and the replica has some of it', async (t) => {
  const { path, db, index, watch, grow, sizeMb } = databaseOf(t);
  grow(70);
  watch.confirmed(index.read().salt);
  watch.look(0);
  watch.trim(false);
  t.equal(sizeMb(), 71, 'all of it is needed');
  t.match(watch.problems('main', 0)[0]?.reason, /it has more than 64 MB\.$/);
  db.pragma('wal_checkpoint(PASSIVE)');
  grow(1);
  watch.look(0);
  watch.trim(false);
  t.equal(sizeMb(), 71, 'the end of the one before may be needed');
  watch.confirmed(index.read().salt);
  watch.look(0);
  watch.trim(false);
  t.equal(statSync(`${path}-wal`).size, index.read().offsetBytes);
  watch.look(0);
  t.strictSame(watch.problems('main', 0), []);
  const reader = openReader(path);
  t.equal(reader.prepare('SELECT count(*) FROM t').pluck().get(), 71);
  t.equal(reader.pragma('integrity_check', { simple: true }), 'ok');
  reader.close();
});

t.test('a smaller WAL is cut only where the disk is short', async (t) => {
  const { db, index, watch, grow, sizeMb } = databaseOf(t);
  grow(20);
  db.pragma('wal_checkpoint(PASSIVE)');
  grow(1);
  watch.confirmed(index.read().salt);
  watch.look(0);
  watch.trim(false);
  t.equal(sizeMb(), 20);
  watch.trim(true);
  t.equal(sizeMb(), 1);
});

t.test('segments count for the WAL that they are of', async (t) => {
  const { watch } = databaseOf(t);
  for (let count = 0; count < 201; count += 1) watch.confirmed('one');
  t.equal(watch.report(0).segments, 201);
  t.match(watch.problems('main', 0)[0]?.reason, /the replica has more than 200 segments of it\.$/);
  watch.confirmed('other');
  t.equal(watch.report(0).segments, 1);
});
