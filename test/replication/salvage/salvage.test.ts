import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { readHistory } from '../../../src/replication/history/history.ts';
import { salvage } from '../../../src/replication/salvage/salvage.ts';
import { openWriter } from '../../../src/sqlite/open.ts';
import { commitAndDie, commitAs, openWithHistory } from '../../support/commits.ts';
import { rowsIn } from './salvage-fixture.ts';

/** A database of 10 commits, whose WAL has the newer ones of them. */
async function makeHere(t: Test): Promise<{ here: string; restored: string }> {
  const folder = t.testdir({ restored: {} });
  const here = join(folder, 'main.db');
  openWithHistory(here).close();
  await commitAndDie(here, 'a', 10);
  return { here, restored: join(folder, 'restored', 'main.db') };
}

/** A copy in one file, as a restore makes it. */
function copyOf(path: string, to: string): void {
  copyFileSync(path, to);
  copyFileSync(`${path}-wal`, `${to}-wal`);
  const db = openWriter(to);
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
}

async function salvaged(t: Test, here: string, restored: string): Promise<number> {
  const wal = readFileSync(`${here}-wal`);
  const count = await salvage({ restoredPath: restored, databasePath: here, abandoned: [] });
  t.ok(wal.equals(readFileSync(`${here}-wal`)), 'what is salvaged from stays as it is');
  t.same(readdirSync(dirname(restored)), ['main.db'], 'and nothing is left beside what was restored');
  return count;
}

t.test('what a WAL holds beyond a restored database is added, whatever became of its file', async (t) => {
  const { here, restored } = await makeHere(t);
  copyOf(here, restored);
  await commitAndDie(here, 'b', 5);
  writeFileSync(here, Buffer.alloc(8192, 0xa5));
  t.equal(await salvaged(t, here, restored), 5);
  t.equal(rowsIn(restored), 15);
  t.same(readHistory(restored).last, { session: 'b', ordinal: 15 });
  t.equal(await salvaged(t, here, restored), 0, 'once');
  rmSync(here);
  t.equal(await salvaged(t, here, restored), 0, 'also without it');
});

t.test('a WAL is used up to where it is sound', async (t) => {
  const { here, restored } = await makeHere(t);
  copyOf(here, restored);
  const soundBytes = statSync(`${here}-wal`).size;
  await commitAndDie(here, 'b', 5);
  const wal = readFileSync(`${here}-wal`);
  const bytes = (wal.length - soundBytes) / 5;
  // Within the fourth of them.
  wal[Math.floor(soundBytes + 3.5 * bytes)]! ^= 1;
  writeFileSync(`${here}-wal`, wal);
  const count = await salvaged(t, here, restored);
  t.ok(count >= 2 && count < 5, `${count}`);
  t.equal(rowsIn(restored), 10 + count);
});

t.test('a WAL that the restored database is no part of is left alone', async (t) => {
  const { here, restored } = await makeHere(t);
  copyOf(here, restored);
  await t.test('since it has gone on elsewhere', async (t) => {
    const db = openWithHistory(restored);
    commitAs(db, 'elsewhere', 1);
    db.close();
    await commitAndDie(here, 'b', 5);
    t.equal(await salvaged(t, here, restored), 0);
    t.same(readHistory(restored).last, { session: 'elsewhere', ordinal: 11 });
  });
  await t.test('since commits between them are missing', async (t) => {
    rmSync(restored);
    copyOf(here, restored);
    const db = openWithHistory(here);
    commitAs(db, 'c', 1);
    db.close();
    await commitAndDie(here, 'd', 5);
    t.equal(await salvaged(t, here, restored), 0);
    t.same(readHistory(restored).last, { session: 'b', ordinal: 15 });
  });
});
