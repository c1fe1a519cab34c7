import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { removeOldLeftovers } from '../../../src/replication/history/cleanup.ts';
import { readHistory } from '../../../src/replication/history/history.ts';
import { newMark, readMark, writeMark } from '../../../src/replication/history/mark.ts';
import { replaceDatabases, replacedFolder } from '../../../src/replication/history/replace.ts';
import { damagedFolder, fileTime } from '../../../src/replication/leftovers.ts';
import { commitAs, openWithHistory } from '../../support/commits.ts';
import { noSmallDisk, smallDisk } from '../../support/small-disk.ts';
import { keepingLog } from '../fixture.ts';

const REPLICA_URL = 'file:/replica';
const DAY_MS = 24 * 60 * 60_000;
const NOW_MS = Date.UTC(2026, 5, 1);

function setup(t: Test) {
  const dataDir = mkdtempSync(join(tmpdir(), 'cleanup-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const path = join(dataDir, 'main.db');
  const make = (file: string, commits: number) => {
    const db = openWithHistory(file);
    commitAs(db, 'one', commits);
    db.close();
  };
  make(path, 2);
  /** Replaces the database by one of so many commits. */
  const replace = (folder: string, commits: number) => {
    const from = join(dataDir, 'next.db');
    make(from, commits);
    const cut = readHistory(from);
    const decision = { kind: 'heal' as const, cut, dismissed: [], decidedBy: 'test', atMs: 1 };
    replaceDatabases(dataDir, REPLICA_URL, [
      { database: 'main', from, folder, decision, generations: [], isBecauseAhead: false },
    ]);
  };
  const clean = () => {
    const { log, lines } = keepingLog();
    removeOldLeftovers(dataDir, log, NOW_MS);
    return lines;
  };
  const left = (kind: string) => readdirSync(join(dataDir, kind)).sort();
  return { dataDir, path, replace, clean, left };
}

const ago = (days: number) => NOW_MS - days * DAY_MS;
const damaged = (days: number) => `main-${fileTime(ago(days))}`;

t.test('of many the newest five stay', async (t) => {
  const { dataDir, replace, clean, left } = setup(t);
  for (const days of [8, 7, 6, 5, 4, 3, 2]) replace(damagedFolder(dataDir, 'main', ago(days)), 2);
  clean();
  t.strictSame(left('damaged'), [6, 5, 4, 3, 2].map(damaged));
});

t.test('what is older than a month goes, apart from the newest', async (t) => {
  const { dataDir, replace, clean, left } = setup(t);
  for (const days of [50, 45, 40]) replace(damagedFolder(dataDir, 'main', ago(days)), 2);
  for (const days of [45, 5, 4]) replace(replacedFolder(dataDir, fileTime(ago(days))), 2);
  clean();
  t.strictSame(left('damaged'), [damaged(40)]);
  t.strictSame(left('replaced'), [fileTime(ago(5)), fileTime(ago(4))]);
});

t.test('what holds commits that were given up stays, also when nobody is told of it any more', async (t) => {
  const { dataDir, replace, clean, left } = setup(t);
  replace(damagedFolder(dataDir, 'main', ago(90)), 1);
  for (const days of [80, 70, 60]) replace(damagedFolder(dataDir, 'main', ago(days)), 1);
  t.ok(readMark(dataDir)!.notices.length > 0);
  writeMark(dataDir, { ...readMark(dataDir)!, notices: [], rewinds: [] }, true);
  clean();
  t.strictSame(left('damaged'), [damaged(90), damaged(60)]);
});

t.test('what cannot be read stays, and so does what nobody knows, and what is still told of', async (t) => {
  const { dataDir, path, replace, clean, left } = setup(t);
  writeFileSync(path, 'no database');
  replace(damagedFolder(dataDir, 'main', ago(90)), 2);
  mkdirSync(damagedFolder(dataDir, 'main', ago(80)), { recursive: true });
  mkdirSync(join(dataDir, 'damaged', 'mine'));
  replace(damagedFolder(dataDir, 'main', ago(70)), 2);
  const notice = { atMs: 1, text: 'it', isRecorded: true, quarantine: join('damaged', damaged(70)) };
  writeMark(dataDir, { ...newMark(REPLICA_URL), notices: [notice] }, true);
  replace(damagedFolder(dataDir, 'main', ago(60)), 2);
  replace(damagedFolder(dataDir, 'main', ago(50)), 2);
  clean();
  t.strictSame(left('damaged'), [...[90, 80, 70, 50].map(damaged), 'mine']);
  t.ok(existsSync(path));
});

t.test('what is no folder, or a folder that cannot be read, stays, and the others go', async (t) => {
  const { dataDir, replace, clean, left } = setup(t);
  for (const days of [50, 45, 40, 2]) replace(damagedFolder(dataDir, 'main', ago(days)), 2);
  writeFileSync(damagedFolder(dataDir, 'main', ago(60)), '');
  symlinkSync('nowhere', damagedFolder(dataDir, 'main', ago(55)));
  writeFileSync(join(dataDir, 'replaced'), '');
  clean();
  t.strictSame(left('damaged'), [60, 55, 2].map(damaged));
});

t.test('what cannot be removed is told, and the others go', { skip: noSmallDisk }, async (t) => {
  const { dataDir, replace, clean, left } = setup(t);
  for (const days of [50, 45, 2]) replace(damagedFolder(dataDir, 'main', ago(days)), 2);
  const busy = damagedFolder(dataDir, 'main', ago(50));
  mkdirSync(join(busy, 'disk'));
  smallDisk(t, 100, join(busy, 'disk'));
  const lines = clean();
  t.strictSame(left('damaged'), [50, 2].map(damaged));
  t.strictSame(
    lines.map(({ level, msg }) => [level, msg.includes(busy)]),
    [
      [30, false],
      [40, true],
    ],
  );
});
