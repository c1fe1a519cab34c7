import { existsSync, readdirSync, rmSync, statSync, truncateSync, utimesSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { readHistory } from '../../../src/replication/history/history.ts';
import { type DatabaseMark, readMark } from '../../../src/replication/history/mark.ts';
import { databasePath } from '../../../src/replication/litestream-config.ts';
import { type Reached, restorePoint } from '../../../src/replication/points/restore-point.ts';
import { openWithHistory } from '../../support/commits.ts';
import { until } from '../../support/system.ts';
import { failureOf, keepingLog, makeSite, type Site } from '../fixture.ts';
import { run } from '../history/settle-fixture.ts';

interface Replica {
  readonly site: Site;
  /** Of three generations the folders, in the order in which they began. */
  readonly folders: readonly string[];
  readonly restore: (atMs?: number, mark?: DatabaseMark) => Promise<Reached>;
  /** Of the last commit that was restored. */
  readonly ordinal: () => number | undefined;
}

async function makeReplica(t: Test): Promise<Replica> {
  const site = await makeSite(t);
  const { DATA_DIR } = site.config;
  const generations = join(site.root, 'replica', 'main', 'generations');
  const folders: string[] = [];
  const snapshots = () => filesOf(generations).filter((path) => path.endsWith('.snapshot.lz4'));
  openWithHistory(databasePath(DATA_DIR, 'main')).close();
  for (const session of ['a', 'b', 'c']) {
    rmSync(join(DATA_DIR, '.main.db-litestream'), { recursive: true, force: true });
    // One that is taken within a checkpoint is no database without its WAL.
    await run(t, site, session, 2, () =>
      until(() => snapshots().length > folders.length, 'the snapshot is taken before there is a commit'),
    );
    folders.push(join(generations, readMark(DATA_DIR)?.databases.main?.segment?.generation ?? ''));
  }
  const outputPath = join(site.root, 'out.db');
  const restore = (atMs?: number, mark?: DatabaseMark) => {
    rmSync(outputPath, { force: true });
    const { log } = keepingLog();
    const scratchDir = join(site.root, 'scratch');
    return restorePoint({ ...site, log, database: 'main', atMs, mark, outputPath, scratchDir });
  };
  return { site, folders, restore, ordinal: () => readHistory(outputPath).last?.ordinal };
}

function filesOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name, parentPath }) => join(parentPath, name));
}

t.test(
  'what a generation has lost that another contains is not missing, whichever is stored later',
  async (t) => {
    const { folders, restore, ordinal } = await makeReplica(t);
    const damaged = folders.slice(0, 2);
    const walsOf = (folder: string) => filesOf(folder).filter((path) => path.includes('/wal/'));
    const lose = {
      'the first segment': () => {
        for (const folder of damaged) rmSync(walsOf(folder)[0] ?? '');
      },
      'all but the snapshot': () => {
        for (const path of damaged.flatMap(walsOf)) rmSync(path);
      },
    };
    for (const [lost, loseIt] of Object.entries(lose)) {
      loseIt();
      for (const timesS of [
        [1, 2, 3],
        [3, 2, 1],
        [2, 2, 2],
      ]) {
        for (const [index, folder] of folders.entries()) {
          for (const path of filesOf(folder)) utimesSync(path, timesS[index] ?? 0, timesS[index] ?? 0);
        }
        const { faults } = await restore();
        const found = { faults, ordinal: ordinal() };
        t.strictSame(found, { faults: [], ordinal: 6 }, `without ${lost}, times ${timesS.join()}`);
      }
    }
  },
);

t.test('of generations that began in one second a time finds the one with most', async (t) => {
  const { folders, restore, ordinal } = await makeReplica(t);
  const nowS = Math.floor(Date.now() / 1000);
  for (const folder of folders) for (const path of filesOf(folder)) utimesSync(path, nowS, nowS);
  await restore(nowS * 1000 + 999);
  t.equal(ordinal(), 6);
});

t.test('where the newest cannot be used, what is said brings an older one back', async (t) => {
  const { site, folders, restore, ordinal } = await makeReplica(t);
  const newest = folders[2] ?? '';
  const [snapshot = ''] = filesOf(newest).filter((path) => path.includes('/snapshots/'));
  const { atime, mtime } = statSync(snapshot);
  const spoilings: readonly (readonly [() => void, string])[] = [
    [
      () => truncateSync(snapshot),
      'cannot be used: the snapshot 00000000 cannot be used: cannot restore snapshot: EOF',
    ],
    [() => rmSync(snapshot), 'has no snapshot'],
  ];
  for (const [spoil, reason] of spoilings) {
    spoil();
    if (existsSync(snapshot)) utimesSync(snapshot, atime, mtime);
    const failure = await failureOf(restore());
    const what = `The database main cannot be restored from ${site.config.replica.url}: the generation ${basename(newest)} ${reason}`;
    const [said, at = ''] = /^(.*) --at (\S+) restores an older/.exec(failure.message)?.slice(1) ?? [];
    t.equal(said, `${what}. npx ninelives restore --in-place`);
    const { faults } = await restore(Date.parse(at));
    t.equal(ordinal(), 4);
    t.ok(faults.length === 1 && faults[0]?.includes(basename(newest)), `${faults}`);
  }
});

t.test('one that cannot be used and has nothing beyond all that was told keeps nobody from it', async (t) => {
  const { site, folders, restore, ordinal } = await makeReplica(t);
  const [, bare = ''] = folders;
  for (const path of filesOf(bare)) {
    if (path.includes('/snapshots/')) rmSync(path);
    else utimesSync(path, new Date(), new Date());
  }
  t.match((await failureOf(restore())).message, `the generation ${basename(bare)} has no snapshot`);
  const mark = readMark(site.config.DATA_DIR)?.databases.main;
  const { faults } = await restore(undefined, mark);
  t.equal(ordinal(), 6);
  t.strictSame(faults, [
    `the generation ${basename(bare)} could not be compared: The database main cannot be restored from ${site.config.replica.url}: the generation ${basename(bare)} has no snapshot`,
  ]);
});
