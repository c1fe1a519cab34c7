import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readMark, writeMark } from '../../src/replication/history/mark.ts';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { notesIn } from '../support/notes.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import { noSmallDisk } from '../support/small-disk.ts';
import { launch, start, temporaryFolder, until } from '../support/system.ts';
import { told } from '../support/told.ts';
import {
  historyTrouble,
  otherHistory,
  reasonsOf,
  restoredIds,
  systemOf,
  toldAfter,
  write,
} from './replica-watch-fixture.ts';

t.test(
  'where a generation began only just now, nothing counts as replicated, and writes go on',
  async (t) => {
    const { dataDir, replica, generations, system } = await systemOf(t, { REPLICA_SYNC_INTERVAL_MS: '100' });
    t.equal((await write(system, 'a')).status, 201);
    const renewal = { atMs: Date.now(), pauseMs: 3_600_000 };
    await system.stop();
    writeMark(dataDir, { ...readMark(dataDir)!, renewal }, true);
    const next = await start(t, { REPLICA_URL: `file:${replica}`, WRITE_DEADLINE_MS: '2000' }, dataDir);
    t.equal((await write(next, 'b')).status, 201);
    const aside = join(replica, '..', 'aside');
    renameSync(join(replica, 'main'), aside);
    t.match(
      await toldAfter(dataDir, 0),
      /is empty, and was not.* until a new generation has begun, in 60 min/,
    );
    t.match(await historyTrouble(next), /Nothing counts as replicated/);
    t.equal((await write(next, 'c', 'local')).status, 201);
    t.not((await write(next, 'd')).status, 201, 'it is not told as replicated');
    t.ok(!existsSync(generations) || readdirSync(generations).length <= 1);
    cpSync(aside, join(replica, 'main'), { recursive: true });
    let tries = 0;
    const isReplicated = async () => (await write(next, `e-${++tries}`)).status === 201;
    await until(isReplicated, 'what was missing is there again, so it counts at once', 30_000);
    await next.stop();
    const ids = await restoredIds(t, dataDir, replica);
    t.strictSame(
      ['a', 'b', 'c', 'd', `e-${tries}`].filter((id) => !ids.includes(id)),
      [],
      'and all is there',
    );
  },
);

t.test(
  'a generation that somebody else put there is compared before anything more is uploaded',
  async (t) => {
    const { dataDir, generations, replica, system } = await systemOf(t);
    t.equal((await write(system, 'a')).status, 201);
    const [first = ''] = readdirSync(generations);
    cpSync(join(generations, first), join(generations, 'ffffffffffffffff'), { recursive: true });
    t.match(
      await toldAfter(dataDir, 0),
      /has the generation ffffffffffffffff, which this system did not make/,
    );
    t.equal((await write(system, 'b')).status, 201, 'it has nothing more, so it goes on');
    t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b']);
    t.equal(told(dataDir).length, 1, 'and it is told once');
    await system.stop();
  },
);

t.test('another history in the replica ends the uploads for good, and reads and writes go on', async (t) => {
  const { folder, dataDir, generations, replica, system } = await systemOf(t);
  t.equal((await write(system, 'a')).status, 201);
  const theirs = await otherHistory(t, { folder, dataDir }, 'replicated');
  t.equal((await write(system, 'ours')).status, 201);
  for (const name of readdirSync(theirs)) {
    const target = readdirSync(generations).includes(name) ? 'eeeeeeeeeeeeeeee' : name;
    // Whole at once: a look may come at any moment.
    cpSync(join(theirs, name), join(folder, target), { recursive: true });
    renameSync(join(folder, target), join(generations, target));
  }
  await toldAfter(dataDir, 0);
  const refusal = await toldAfter(dataDir, 1);
  t.match(refusal, /main.*each has commits|fork|apart/i);
  const before = readdirSync(generations, { recursive: true }).length;
  t.equal((await write(system, 'more', 'local')).status, 201);
  t.equal((await request(`${system.url}/note`)).status, 200);
  t.match(await historyTrouble(system), refusal);
  t.equal(readdirSync(generations, { recursive: true }).length, before, 'nothing is added');
  t.equal(existsSync(replica), true);
  await system.stop();
});

t.test('the same is seen in a store that speaks S3', async (t) => {
  const store = await startS3(t);
  const { dataDir, system } = await systemOf(t, {
    REPLICA_URL: `s3://${store.bucket}/replica`,
    S3_ENDPOINT: store.endpoint,
    ...store.credentials,
  });
  t.equal((await write(system, 'a')).status, 201);
  rmSync(join(store.directory, store.bucket, 'replica', 'main'), { recursive: true });
  t.match(await toldAfter(dataDir, 0), /^The replica s3:.* of main is empty, and was not\. A new generation/);
  t.equal((await write(system, 'b')).status, 201);
  await system.stop();
});

t.test('where a restart does not help either, a new generation begins', async (t) => {
  const { dataDir, replica, system } = await systemOf(t, { REPLICA_STALL_TIMEOUT_MS: '300' });
  t.equal((await write(system, 'a')).status, 201);
  const sidecar = join(dataDir, '.main.db-litestream');
  rmSync(sidecar, { recursive: true });
  writeFileSync(sidecar, '');
  t.equal((await write(system, 'b')).status, 201);
  t.match(told(dataDir)[0], /^Litestream fails again and again \(.*\)\. A new generation of main begins/);
  await system.stop();
  t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b']);
});

t.test(
  'the first replica again, after another one, gets a new generation: what lies between is not in it',
  async (t) => {
    const { folder, dataDir, generations, replica, system } = await systemOf(t);
    t.equal((await write(system, 'a')).status, 201);
    await system.stop();
    const other = await start(t, { REPLICA_URL: `file:${join(folder, 'b')}` }, dataDir);
    t.equal((await write(other, 'b')).status, 201);
    await other.stop();
    const again = await start(t, { REPLICA_URL: `file:${replica}` }, dataDir);
    t.equal((await write(again, 'c')).status, 201);
    await again.stop();
    t.equal(readdirSync(generations).length, 2);
    t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b', 'c']);
  },
);

t.test(
  'a folder whose disk goes away while the system runs gets nothing more until it is back',
  { skip: noSmallDisk },
  async (t) => {
    const replica = temporaryFolder(t);
    const disk = temporaryFolder(t);
    const mount = () => execFileSync('mount', ['--bind', disk, replica]);
    const unmount = () => execFileSync('umount', ['-l', replica]);
    mount();
    t.teardown(() => void spawnSync('umount', ['-l', replica], { stdio: 'ignore' }));
    const { dataDir, system } = await systemOf(t, { REPLICA_URL: `file:${replica}` });
    t.equal((await write(system, 'a')).status, 201);
    await until(() => readMark(dataDir)?.databases.main?.generations.length === 1, 'it is remembered');
    unmount();
    t.match(await toldAfter(dataDir, 0), /is away: .*, which it was on, is not mounted/);
    const below = readdirSync(replica, { recursive: true });
    t.equal((await write(system, 'b', 'local')).status, 201);
    t.strictSame(readdirSync(replica, { recursive: true }), below, 'nothing is written where it was');
    mount();
    t.equal((await write(system, 'c')).status, 201);
    t.equal(readdirSync(join(disk, 'main/generations')).length, 1, 'it goes on with what is there');
    t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b', 'c']);
    await system.stop();
  },
);

t.test(
  'a replica that loses objects gets a new generation, and counts again when that is there',
  async (t) => {
    const { dataDir, generations, replica, system } = await systemOf(t);
    t.equal((await write(system, 'a')).status, 201);
    const [first = ''] = readdirSync(generations);
    rmSync(join(generations, first, 'wal'), { recursive: true });
    const text = await toldAfter(dataDir, 0);
    t.match(text, /^The replica file:.* of main has lost .* A new generation of main begins/);
    const answer = await write(system, 'b');
    t.equal(answer.status, 201, 'when it counts again');
    const ended = system.lines.filter(({ msg }) => /^litestream .* next start in/.test(String(msg)));
    like(t, ended, [
      { level: 'info', msg: /^litestream was ended: a new generation begins; next start in / },
    ]);
    t.equal(ended.length, 1, 'it is no fault of its');
    t.equal(readdirSync(generations).length, 2);
    t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b']);
    // A drill has proven it.
    await until(async () => (await historyTrouble(system)) === undefined, 'it is proven');
    t.equal(readMark(dataDir)!.renewal, undefined);
    await system.stop();
  },
);

t.test('a generation that is copied there piece by piece is compared again once it is whole', async (t) => {
  const { folder, dataDir, generations, system } = await systemOf(t);
  t.equal((await write(system, 'a')).status, 201);
  const theirs = await otherHistory(t, { folder, dataDir }, 'local');
  const [name = ''] = readdirSync(theirs);
  const segments = readdirSync(join(theirs, name, 'wal')).sort();
  t.ok(segments.length > 1);
  const target = join(generations, 'eeeeeeeeeeeeeeee');
  cpSync(join(theirs, name, 'snapshots'), join(target, 'snapshots'), { recursive: true });
  const copy = (segment: string) => cpSync(join(theirs, name, 'wal', segment), join(target, 'wal', segment));
  for (const segment of segments.slice(0, -1)) copy(segment);
  t.match(await toldAfter(dataDir, 0), /which this system did not make/);
  let tries = 0;
  const isGoingOn = async () => (await write(system, `ours-${++tries}`)).status === 201;
  await until(isGoingOn, 'what is there of it so far is found to be part of what is here', 60_000);
  t.equal(told(dataDir).length, 1);
  copy(segments.at(-1)!);
  await until(() => told(dataDir).length > 1, 'it is found again', 60_000);
  t.match(
    told(dataDir)[1],
    /has more in [0-9a-f]{16}, which Litestream does not write, than when that was compared/,
  );
  t.match(await toldAfter(dataDir, 2), /each has commits|fork|apart/i);
  t.equal((await write(system, 'more', 'local')).status, 201);
  await system.stop();
});

t.test('a page in the place of the store is no replica, empty or other: nothing begins on it', async (t) => {
  const store = await startS3(t);
  const proxy = await startStoreProxy(t, store);
  const env = s3Environment({ ...store, endpoint: proxy.endpoint }, 'p');
  const { dataDir, system } = await systemOf(t, env);
  t.equal((await write(system, 'a')).status, 201);
  await proxy.become('page');
  t.match(
    await toldAfter(dataDir, 0),
    /what answers there is no S3 store\. Check S3_ENDPOINT, .* A new generation of/,
  );
  t.not((await write(system, 'b')).status, 201, 'it is not told as replicated');
  await proxy.become('open');
  await until(async () => (await write(system, `c-${Date.now()}`)).status === 201, 'it goes on', 30_000);
  await proxy.become('page');
  await system.destroy();
  const there = { ...env, DATA_DIR: temporaryFolder(t) };
  like(t, await command(['restore', '--list'], there), { code: 75, stderr: /no S3 store/ });
  const next = launch(t, env, there.DATA_DIR);
  await next.waitFor(({ msg }) => String(msg).includes('no S3 store'));
  t.notOk(existsSync(join(there.DATA_DIR, 'main.db')), 'a start begins nothing anew');
  await proxy.become('open');
  await next.ready();
  t.ok(notesIn(join(there.DATA_DIR, 'main.db')).includes('a'));
  await next.stop();
});

t.test(
  'what a drill cannot restore gets a new generation, and counts again when that is there',
  async (t) => {
    const { dataDir, generations, replica, system } = await systemOf(t, { REPLICATED_TIMEOUT_MS: '60000' });
    t.equal((await write(system, 'a')).status, 201);
    const [first = ''] = readdirSync(generations);
    const wal = join(generations, first, 'wal');
    for (const name of readdirSync(wal)) truncateSync(join(wal, name));
    t.equal((await write(system, 'b')).status, 201, 'by its name all is there');
    const verified = await command(['verify'], { DATA_DIR: dataDir, REPLICA_URL: `file:${replica}` });
    like(t, verified, { code: 80, stdout: /main: FAILED: the replica is damaged/ });
    t.match(await toldAfter(dataDir, 0), /^A drill has found: main: .* A new generation of main begins/);
    t.equal((await write(system, 'c')).status, 201);
    t.equal(readdirSync(generations).length, 2);
    t.strictSame(await restoredIds(t, dataDir, replica), ['a', 'b', 'c']);
    await until(async () => (await historyTrouble(system)) === undefined, 'it is proven', 30_000);
    await system.stop();
  },
);

t.test('what a store lists late is not taken for lost', async (t) => {
  const store = await startS3(t);
  const proxy = await startStoreProxy(t, store);
  const { dataDir, system } = await systemOf(t, s3Environment({ ...store, endpoint: proxy.endpoint }, 'p'));
  t.equal((await write(system, 'a')).status, 201);
  await proxy.become('late');
  const looks = () => proxy.late.filter((url) => url.includes('wal')).length;
  for (let n = 0; looks() < 2 && n < 60; n += 1) t.equal((await write(system, `b-${n}`)).status, 201);
  t.ok(looks() >= 2, 'listings were late');
  t.strictSame(told(dataDir), []);
  await proxy.become('open');
  await system.stop();
});

t.test('a bucket that is gone is told, and gets all when it is made anew', async (t) => {
  const store = await startS3(t);
  const env = s3Environment(store, 'p');
  const { system } = await systemOf(t, { ...env, REPLICATED_TIMEOUT_MS: '60000' });
  t.equal((await write(system, 'a')).status, 201);
  const bucket = join(store.directory, store.bucket);
  rmSync(bucket, { recursive: true });
  const writing = write(system, 'b');
  const isTold = async () =>
    (await reasonsOf(system)).some((reason) => /NoSuchBucket.*\. Make the bucket, /.test(reason));
  await until(isTold, 'it is told', 30_000);
  const there = { ...env, DATA_DIR: temporaryFolder(t) };
  like(t, await command(['restore', '--list'], there), {
    code: 68,
    stderr: /NoSuchBucket.*\. Make the bucket, /,
  });
  mkdirSync(bucket);
  t.equal((await writing).status, 201, 'it counts when it is there');
  await system.destroy();
  const file = join(temporaryFolder(t), 'restored.db');
  const ran = await command(['restore', '--to', file], there);
  t.equal(ran.code, 0, ran.stderr);
  t.strictSame(notesIn(file), ['a', 'b']);
});

t.test('a store where nothing can be removed is told, and so is that it can again', async (t) => {
  const store = await startS3(t);
  const proxy = await startStoreProxy(t, store);
  await proxy.become('keeping');
  const { system } = await systemOf(t, {
    ...s3Environment({ ...store, endpoint: proxy.endpoint }, 'p'),
    ...{ REPLICA_RETENTION_MS: '60000', REPLICA_SNAPSHOT_INTERVAL_MS: '60000', DRILL_INTERVAL_MS: '0' },
  });
  const writing = setInterval(() => void write(system, `n-${Date.now()}`, 'local').catch(() => {}), 1000);
  t.teardown(() => clearInterval(writing));
  const isTold = async () =>
    (await reasonsOf(system)).some((reason) => reason.includes('which grows without end: '));
  await until(isTold, 'it is told', 240_000);
  await proxy.become('open');
  await until(async () => !(await isTold()), 'it is over', 180_000);
  await system.stop();
});

t.test('what a page has taken in the place of the store is replicated only when it is there', async (t) => {
  const store = await startS3(t);
  const proxy = await startStoreProxy(t, store);
  const env = s3Environment({ ...store, endpoint: proxy.endpoint }, 'p');
  const { system } = await systemOf(t, { ...env, REPLICATED_TIMEOUT_MS: '60000' });
  t.equal((await write(system, 'a')).status, 201);
  await proxy.become('page');
  const writing = write(system, 'b');
  await until(
    () => proxy.lost.some((url) => url.includes('/main/generations/')),
    'the page has taken an upload',
  );
  await proxy.become('open');
  t.equal((await writing).status, 201);
  await system.destroy();
  const file = join(temporaryFolder(t), 'restored.db');
  const ran = await command(['restore', '--to', file], { ...env, DATA_DIR: temporaryFolder(t) });
  t.equal(ran.code, 0, ran.stderr);
  t.ok(notesIn(file).includes('b'), 'it is in the replica');
});
