import { copyFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkHere } from '../../src/replication/check-here.ts';
import { misfitOf } from '../../src/replication/wal-fit.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { commitAndDie } from '../support/commits.ts';
import { like } from '../support/like.ts';

const FRAME_BYTES = 24 + 4096;

function checkpoint(path: string, mode: 'PASSIVE' | 'TRUNCATE'): void {
  const db = openWriter(path);
  db.pragma(`wal_checkpoint(${mode})`);
  // The last connection would take the WAL away.
  copyFileSync(`${path}-wal`, `${path}-kept`);
  db.close();
  copyFileSync(`${path}-kept`, `${path}-wal`);
}

/** A database of 20 commits in its file and 10 more in its WAL, with the file as it was after 10. */
async function makeTwoMoments(t: Test) {
  const path = join(t.testdir(), 'main.db');
  await commitAndDie(path, 'a', 10);
  checkpoint(path, 'TRUNCATE');
  const early = `${path}.early`;
  copyFileSync(path, early);
  await commitAndDie(path, 'b', 10);
  const earlyWal = `${path}.early-wal`;
  copyFileSync(`${path}-wal`, earlyWal);
  checkpoint(path, 'TRUNCATE');
  await commitAndDie(path, 'c', 10);
  return { path, early, earlyWal };
}

t.test('a database and its own WAL fit', async (t) => {
  const { path } = await makeTwoMoments(t);
  t.equal(misfitOf(path), undefined);
  checkpoint(path, 'PASSIVE');
  t.equal(misfitOf(path), undefined, 'all of the WAL is in the file too');
  rmSync(`${path}-wal`);
  t.equal(misfitOf(path), undefined, 'there is no WAL');
  await commitAndDie(`${path}.new`, 'a', 1);
  t.equal(misfitOf(`${path}.new`), undefined, 'all of it is in the WAL');
});

t.test('an earlier file below a WAL, which no check of SQLite tells', async (t) => {
  const { path, early } = await makeTwoMoments(t);
  copyFileSync(early, path);
  like(t, checkHere(path, 'quick_check'), { healthy: true });
  t.equal(
    misfitOf(path),
    'its WAL goes on from commit 20, and the file without it ends with commit 10: they are of two moments',
  );
});

t.test('an earlier WAL over a file', async (t) => {
  const { path, earlyWal } = await makeTwoMoments(t);
  checkpoint(path, 'TRUNCATE');
  copyFileSync(earlyWal, `${path}-wal`);
  t.match(
    misfitOf(path),
    /^the file itself has commit 30, and with its WAL it ends with commit 20: they are of two moments/,
  );
});

t.test('a WAL that was cut where the file has more', async (t) => {
  const { path } = await makeTwoMoments(t);
  checkpoint(path, 'PASSIVE');
  truncateSync(`${path}-wal`, 32 + 12 * FRAME_BYTES);
  t.match(misfitOf(path), /^the file itself has commit 30, .* or the WAL has lost its end$/);
});
