import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { freeDiskMb } from '../../src/platform/free-disk.ts';
import { readMark } from '../../src/replication/history/mark.ts';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { findings } from '../cli/doctor-fixture.ts';
import { foreignConnection } from '../support/foreign-connection.ts';
import { noteOf, request } from '../support/http.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import { noSmallDisk, smallDisk } from '../support/small-disk.ts';
import { launch, start, temporaryFolder, until } from '../support/system.ts';
import { degraded, write } from './bounds-fixture.ts';

const MB_BYTES = 1024 * 1024;

t.test('what a long reader has let grow is given back when it goes', async (t) => {
  // So that the disk is short, and writes are not refused yet.
  const reserveMb = Math.floor(freeDiskMb(tmpdir()) * 0.8);
  const system = await start(t, {
    REPLICA_SYNC_INTERVAL_MS: '100',
    DISK_RESERVE_MB: String(reserveMb),
  });
  const path = join(system.dataDir, 'main.db');
  const sizeMb = () => statSync(`${path}-wal`).size / MB_BYTES;
  const reader = await foreignConnection(t, path, 'BEGIN; SELECT count(*) FROM notes');
  for (let batch = 0; sizeMb() < 4; batch += 1)
    await Promise.all(Array.from({ length: 10 }, (_, index) => write(system, `${batch}-${index}`)));
  t.match(
    await degraded(system, 'storage'),
    new RegExp(`MB of disk are free: writes are refused below DISK_RESERVE_MB=${reserveMb}$`),
  );
  const metric = async (name: string, database: string) => {
    const { text } = await request(`${system.url}/metrics`);
    return Number(new RegExp(`_${name}\\{database="${database}"\\} (\\S+)`).exec(text)?.[1]);
  };
  await until(
    async () => (await metric('wal_bytes', 'main')) === statSync(`${path}-wal`).size,
    'its size is told',
  );
  t.ok((await metric('wal_oldest_reader_seconds', 'main')) > 0);
  t.equal(await metric('wal_oldest_reader_seconds', 'media'), 0, 'Litestream itself does not count');
  t.ok((await metric('wal_segments', 'main')) > 0);
  await reader.end();
  // Idle: the next checkpoint begins the WAL anew.
  await until(() => sizeMb() < 1, 'it is small again', 20_000);
  t.equal((await write(system, 'last')).status, 201);
  await system.stop();
});

t.test('a restart in an outage keeps age and size of the backlog', async (t) => {
  const store = await startS3(t);
  const dataDir = temporaryFolder(t);
  const proxy = await startStoreProxy(t, store);
  const env = {
    ...s3Environment({ ...store, endpoint: proxy.endpoint }, 'bounds'),
    REPLICA_STOP_TIMEOUT_MS: '100',
    LOG_LEVEL: 'info',
  };
  const system = await start(t, env, dataDir);
  const replicated = { method: 'POST', body: noteOf('a'), headers: { Durability: 'replicated' } };
  t.equal((await request(`${system.url}/note`, replicated)).status, 201);
  await proxy.become('refuse');
  t.equal((await write(system, 'b')).status, 201);
  const behind = () => readMark(dataDir)?.databases.main?.behind;
  await until(() => behind() !== undefined, 'the backlog is remembered');
  const { sinceMs, unconfirmedBytes } = behind()!;
  t.ok(unconfirmedBytes > 0);
  system.kill('SIGKILL');
  await system.ended();
  const next = await start(t, env, dataDir);
  const lag = async () => (await request(`${next.url}/ready?verbose`)).json.replication.databases.main;
  await until(async () => (await lag())?.lagMs > 0, 'the lag is told');
  const { lagMs, unconfirmedBytes: bytes } = await lag();
  t.ok(lagMs >= Date.now() - sinceMs - 3000, `the oldest commit is as old as it was: ${lagMs}`);
  t.ok(bytes >= unconfirmedBytes);
  await next.stop();
});

t.test('a start waits for a foreign write lock, and says whose it is', async (t) => {
  const dataDir = temporaryFolder(t);
  const first = await start(t, {}, dataDir);
  await first.stop();
  const { pid, end } = await foreignConnection(t, join(dataDir, 'main.db'), 'BEGIN IMMEDIATE');
  const system = launch(t, { START_TIMEOUT_MS: '3000' }, dataDir);
  await system.waitFor(({ msg }) => msg.includes(`(process ${pid}) has locked main for writing`));
  const from = system.lines.length;
  await system.waitFor(() => false, from, 4000).catch(() => {});
  // On a busy machine a worker may need longer than that.
  const ofWriter = system.lines.slice(from).filter(({ child }) => child === 'writer');
  t.same(
    ofWriter.filter(({ msg }) => /hung|crash|not ready/.test(msg)),
    [],
  );
  await end();
  await system.ready();
  await system.stop();
});

t.test(
  'a full disk of the replica is called that, and catching up begins when it has room',
  { skip: noSmallDisk },
  async (t) => {
    const disk = smallDisk(t, 4096);
    const replica = join(disk, 'replica');
    const env = { REPLICA_URL: `file:${replica}`, DURABILITY: 'replicated', REPLICATED_TIMEOUT_MS: '1000' };
    const system = await start(t, env);
    t.equal((await write(system, 'a')).status, 201);
    const filling = join(disk, 'filling');
    t.throws(() => writeFileSync(filling, Buffer.alloc(5_000_000)), { code: 'ENOSPC' });
    t.equal((await write(system, 'b')).status, 504);
    const isTold = async () =>
      (await degraded(system, 'replication'))?.startsWith(`unreachable: the disk of ${replica} is full; `) ??
      false;
    await until(isTold, 'it is called that', 20_000);
    const { by } = await findings({
      DATA_DIR: temporaryFolder(t),
      PORT: '0',
      REPLICA_URL: `file:${replica}`,
    });
    t.match(by.get('replica')?.detail, /the folder cannot be used: ENOSPC/);
    t.strictSame(
      readdirSync(replica).filter((name) => name.startsWith('.doctor')),
      [],
    );
    rmSync(filling);
    await until(async () => (await degraded(system, 'replication')) === undefined, 'it catches up', 10_000);
    t.equal((await write(system, 'c')).status, 201);
    await system.stop();
  },
);
