import { copyFileSync, cpSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { attemptsFor, bytesToRead } from '../../src/replication/points/attempts.ts';
import {
  type Generation,
  generationOf,
  listGenerations,
  rangeOf,
} from '../../src/replication/points/generations.ts';
import { readLastCommit } from '../../src/replication/points/last-commit.ts';
import { like } from '../support/like.ts';
import { until } from '../support/system.ts';
import { makeDrillSite } from './drill-fixture.ts';
import { failureOf, keepingLog } from './fixture.ts';
import { type Commit, commits, generationDirs, restoreAt, S, setClock } from './points-fixture.ts';

/** @param rows `s` snapshots and `w` segments, each `[index, second]` */
function collect(
  generations: Record<string, { s: [number, number][]; w: [number, number][] }>,
): Generation[] {
  return Object.entries(generations)
    .map(([name, { s, w }]) =>
      generationOf({
        name,
        storedMs: Math.max(...[...s, ...w].map(([, second]) => second * S)),
        snapshots: s.map(([index, second]) => ({ path: '', index, sizeBytes: 100, storedMs: second * S })),
        segments: w.map(([index, second]) => ({
          ...{ path: '', index, offsetBytes: 0 },
          ...{ sizeBytes: 10, storedMs: second * S },
        })),
      }),
    )
    .sort((a, b) => (a.fromMs ?? a.toMs) - (b.fromMs ?? b.toMs));
}

t.test('a generation can be restored from its first snapshot with WAL behind it', async (t) => {
  const [generation] = collect({
    a: {
      s: [[0, 10]],
      w: [
        [0, 12],
        [0, 20],
        [1, 30],
      ],
    },
  });
  like(t, generation, { name: 'a', fromMs: 12 * S, toMs: 30 * S, segments: 3, sizeBytes: 130 });
  const [older] = collect({
    a: {
      s: [[3, 40]],
      w: [
        [1, 10],
        [2, 20],
        [3, 30],
        [3, 50],
      ],
    },
  });
  like(t, older, { fromMs: 40 * S, toMs: 50 * S }, 'not from WAL whose snapshot is gone');
  const [alone] = collect({ a: { s: [[0, 10]], w: [] } });
  like(t, alone, { fromMs: 10 * S, toMs: 10 * S }, 'a snapshot alone is enough');
  const [headless] = collect({ a: { s: [], w: [[0, 10]] } });
  like(t, headless, { fromMs: undefined }, 'WAL alone is nothing');
  t.equal(rangeOf([headless as Generation]), undefined);
  const [ahead] = collect({
    a: {
      s: [
        [0, 10],
        [7, 40],
      ],
      w: [
        [0, 12],
        [1, 30],
      ],
    },
  });
  t.equal(ahead?.snapshots[1]?.usableFromMs, undefined, 'nor is a snapshot ahead of all WAL');
});

t.test('what a restore reads is known before', async (t) => {
  const generations = collect({
    b: {
      s: [
        [0, 100],
        [5, 150],
      ],
      w: [
        [0, 101],
        [5, 151],
        [6, 200],
      ],
    },
    a: {
      s: [[0, 10]],
      w: [
        [0, 12],
        [1, 30],
      ],
    },
  });
  t.same(
    generations.map(({ name }) => name),
    ['a', 'b'],
    'in the order of their beginning',
  );
  t.same(rangeOf(generations), { fromMs: 12 * S, toMs: 200 * S });
  t.equal(bytesToRead(generations), 120, 'the newest reads the last snapshot and the WAL behind it');
  t.equal(bytesToRead(generations, 120 * S), 110, 'an earlier one reads up to the next snapshot');
  t.equal(bytesToRead(generations, 5 * S), undefined);
});

t.test('Litestream 0.5 is asked for what is not later, the best first', async (t) => {
  const [generation] = collect({
    b: {
      s: [
        [0, 100],
        [5, 150],
      ],
      w: [
        [0, 101],
        [5, 151],
        [6, 200],
      ],
    },
  }) as [Generation];
  t.strictSame(attemptsFor(generation, 11 * S), [], 'before the first there is none');
  t.strictSame(attemptsFor(generation, 120 * S), [{ atMs: 120 * S }]);
  t.strictSame(attemptsFor(generation, 160 * S), [{ atMs: 160 * S }, { atMs: 150 * S - 1 }]);
  t.strictSame(
    attemptsFor(generation, 200 * S + 500),
    [{ atMs: 200 * S + 500 }, {}, { atMs: 150 * S - 1 }],
    'within the last second nobody knows whether it is behind the end',
  );
  t.strictSame(attemptsFor(generation, 300 * S), [{}]);
});

t.test('a time within an outage of the store has the commits of that time', async (t) => {
  const site = await makeDrillSite(t);
  site.commit();
  await site.settle();
  site.litestream.kill('SIGSTOP');
  const done: Commit[] = [];
  for (let count = 0; count < 6; count += 1) {
    site.commit();
    const { ordinal = 0, atMs = 0 } = readLastCommit(site.db.name) ?? {};
    done.push({ ordinal, atMs });
    await until(() => Date.now() >= atMs + 300, 'the next is due');
  }
  site.litestream.kill('SIGCONT');
  await site.settle();
  const [wanted, next] = done.slice(2);
  const { lastCommit, next: after } = await restoreAt(site, (wanted?.atMs ?? 0) + 100);
  t.match(lastCommit, wanted as Commit);
  t.strictSame(after, next);
});

t.test('between two generations there is the end of the earlier one', async (t) => {
  const site = await makeDrillSite(t);
  await site.settle();
  const [first] = await commits(site, 1);
  site.litestream.kill('SIGKILL');
  // As a later generation that begins an hour on; what is in it does not matter.
  const [dir = ''] = generationDirs(site);
  for (const part of ['snapshots', 'wal']) {
    cpSync(join(dir, part), join(dir, '..', 'ffffffffffffffff', part), { recursive: true });
  }
  setClock(join(dir, '..', 'ffffffffffffffff'), (ms) => ms + 3600 * S);
  const { lastCommit } = await restoreAt(site, Date.now() + 1800 * S);
  t.equal(lastCommit?.ordinal, first?.ordinal);
});

t.test('a copy of a replica, stored later than all that is in it, has its times', async (t) => {
  const site = await makeDrillSite(t);
  await site.settle();
  const [, wanted, next] = (await commits(site, 3, 100)) as [Commit, Commit, Commit];
  site.litestream.kill('SIGKILL');
  const [dir = ''] = generationDirs(site);
  setClock(dir, () => Date.now() + 3600 * S);
  // The rest of a generation from before it, which has no snapshot any more.
  cpSync(join(dir, 'wal'), join(dir, '..', '0000000000000000', 'wal'), { recursive: true });
  const { lastCommit, next: after } = await restoreAt(site, wanted.atMs + 50);
  t.match(lastCommit, wanted);
  t.strictSame(after, next);
  const failure = await failureOf(restoreAt(site, wanted.atMs - 3600 * S));
  t.equal(failure.code, 'restore_too_early');
});

t.test('a snapshot that no WAL follows yet is passed over for what was before it', async (t) => {
  const site = await makeDrillSite(t);
  await site.settle();
  const [first] = await commits(site, 1);
  site.litestream.kill('SIGKILL');
  const [dir = ''] = generationDirs(site);
  const snapshots = join(dir, 'snapshots');
  copyFileSync(join(snapshots, '00000000.snapshot.lz4'), join(snapshots, '00000007.snapshot.lz4'));
  setClock(snapshots, (ms) => Math.min(ms, Date.now()));
  // A whole second: a listing tells no more of it.
  const stampS = Math.floor(Date.now() / S) + 60;
  utimesSync(join(snapshots, '00000007.snapshot.lz4'), new Date(), stampS);
  const { lastCommit } = await restoreAt(site, stampS * S + 100);
  t.equal(lastCommit?.ordinal, first?.ordinal);
});

t.test('a database that counts no commits is restored, and does not tell', async (t) => {
  const site = await makeDrillSite(t);
  site.db.exec('DROP TABLE writer_commit');
  await site.settle();
  site.litestream.kill('SIGKILL');
  t.equal((await restoreAt(site, undefined)).lastCommit, undefined);
});

t.test('what counts no commits, though the owner of the replica knows of some, has lost them', async (t) => {
  const site = await makeDrillSite(t);
  site.db.exec('DROP TABLE writer_commit');
  await site.settle();
  site.litestream.kill('SIGKILL');
  const atMs = Date.now() + 60 * S;
  const position = { session: 's', ordinal: 7 };
  const knownEnd = { database: 'main', position, untilMs: atMs, source: 'the record of its owner' };
  const { faults } = await restoreAt(site, atMs, { ...knownEnd, isReplicated: true });
  t.same(faults, [
    "its owner's record names commits 1 to 7 of session s as replicated, and they are not there any more",
  ]);
  const failure = await failureOf(restoreAt(site, atMs, { ...knownEnd, isReplicated: false }));
  t.equal(failure.code, 'restore_too_late', 'the replica may get them');
  const none = await failureOf(
    restoreAt(site, atMs, { ...knownEnd, position: undefined, isReplicated: true }),
  );
  t.equal(none.code, 'restore_too_early', 'where the owner knows of none, no time can be found in it');
});

t.test('listing fails when it is aborted', async (t) => {
  const site = await makeDrillSite(t);
  await site.settle();
  const { binary, configPath, env, config } = site;
  const failure = await failureOf(
    listGenerations({
      binary,
      configPath,
      env,
      database: 'main',
      log: keepingLog().log,
      config,
      stallTimeoutMs: 1000,
      signal: AbortSignal.abort(),
    }),
  );
  t.equal(failure.code, 'not_ready');
});
