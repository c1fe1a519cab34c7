import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { SystemSnapshot } from '../../src/runtime/snapshot.ts';
import { command } from '../commands/command.ts';
import { request } from '../support/http.ts';
import { startStoreProxy } from '../support/s3.ts';
import { until } from '../support/system.ts';
import { pair, standsBy } from './failover-fixture.ts';
import { post } from './lease-fixture.ts';

async function statusOf(dataDir: string): Promise<SystemSnapshot> {
  return JSON.parse((await command(['status', '--json'], { DATA_DIR: dataDir })).stdout) as SystemSnapshot;
}

t.test('a standby mirrors the replica, proves it, and takes over from it', async (t) => {
  const { store, member, record } = await pair(t);
  const leader = member('a');
  await leader.ready();
  t.equal((await post(leader, 'one')).status, 201);
  const way = await startStoreProxy(t, store);
  const standby = member('b', undefined, { S3_ENDPOINT: way.endpoint });
  await standsBy(standby);
  const mirror = join(standby.dataDir, 'mirror');
  await until(() => existsSync(join(mirror, 'e000001', 'main')), 'the mirror has the epoch that counts');
  t.equal((await post(leader, 'two')).status, 201);

  const gaugesOf = async () =>
    (await statusOf(standby.dataDir)).children.find(({ name }) => name === 'mirror')?.gauges ?? {};
  await until(async () => (await gaugesOf()).lag_seconds === 0, 'it lacks nothing');

  const { code, stdout, stderr } = await command(['verify'], { DATA_DIR: standby.dataDir });
  t.equal(code, 0, stdout + stderr);
  const { lastDrill } = await statusOf(standby.dataDir);
  t.equal(lastDrill?.ok, true);
  t.ok((lastDrill?.takeover?.restoreMs ?? 0) > 0);
  t.equal(lastDrill?.takeover?.refusal, undefined);
  t.equal(existsSync(join(standby.dataDir, 'drill')), false, 'it leaves nothing behind');

  leader.kill('SIGKILL');
  await leader.ended();
  rmSync(leader.dataDir, { recursive: true, force: true });
  const gets = way.counts.GET ?? 0;
  await standby.ready();
  for (const id of ['one', 'two'])
    t.equal((await request(`${standby.url}/alert/movie/${id}`)).status, 200, id);
  t.equal(record().epoch, 2);
  t.comment(`${(way.counts.GET ?? 0) - gets} GETs from the kill to serving`);
  t.equal(existsSync(mirror), false, 'a leader needs none');
});

t.test('what the mirror lacks, or has otherwise, comes from the store', async (t) => {
  const { member } = await pair(t);
  const leader = member('a');
  await leader.ready();
  const standby = member('b');
  await standsBy(standby);
  t.equal((await post(leader, 'one')).status, 201);
  const segments = join(standby.dataDir, 'mirror', 'e000001', 'main', 'generations');
  const segmentFiles = () =>
    existsSync(segments)
      ? readdirSync(segments, { recursive: true, encoding: 'utf8' }).filter((name) =>
          name.endsWith('.wal.lz4'),
        )
      : [];
  await until(() => segmentFiles().length > 0, 'segments are mirrored');
  // Its process goes on as if they were there.
  for (const name of segmentFiles()) rmSync(join(segments, name));
  for (const pid of [leader.pid]) process.kill(pid, 'SIGKILL');
  await standby.ready();
  t.equal((await request(`${standby.url}/alert/movie/one`)).status, 200);
});
