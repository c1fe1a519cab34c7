import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { liveGeneration } from '../../src/replication/history/sidecar.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { processesOf, start, temporaryFolder, until } from '../support/system.ts';
import { command } from './command.ts';
import { degraded, isDrill } from './verify-fixture.ts';

/** No drills of the past, in which what is damaged stays. */
const NEWEST = { DRILL_MAX_MB: '0' };

/** Makes the snapshots of a database in its replica useless. */
function breakReplica(dataDir: string, database: string): void {
  const generations = join(dataDir, 'replica', database, 'generations');
  const [generation = ''] = readdirSync(generations);
  const snapshots = join(generations, generation, 'snapshots');
  // By content alone: what is gone the system itself makes good.
  for (const name of readdirSync(snapshots)) writeFileSync(join(snapshots, name), 'nothing to restore');
}

/** @returns the paths of the WAL segments of the generation that Litestream goes on with, in their order */
function segmentsOf(dataDir: string, database: string): string[] {
  const generation = liveGeneration(join(dataDir, `${database}.db`)) ?? '';
  const folder = join(dataDir, 'replica', database, 'generations', generation);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.wal.lz4'))
    .sort()
    .map((path) => join(folder, path));
}

t.test('a failed drill is an error wherever one looks, until one succeeds', async (t) => {
  const system = await start(t, NEWEST);
  breakReplica(system.dataDir, 'media');
  const env = { DATA_DIR: system.dataDir };
  const failed = await command(['verify'], env);
  t.equal(failed.code, 80);
  t.match(failed.stdout, /^main: ok, .*\nmedia: FAILED: .*the snapshot 00000000 cannot be used/);
  t.match(failed.stderr, /The replica is not proven/);
  like(t, await system.waitFor(isDrill), { level: 'error', msg: /^drill failed: media: / });
  const isTold = async () =>
    (await degraded(system)).some(
      ({ name, reason }) => name === 'drill' && /^the drill of \d{4}-\S+Z failed: media: /.test(reason),
    );
  await until(isTold, '/ready tells of it');
  await until(async () => (await degraded(system)).length === 0, 'it has begun anew, and is proven', 30_000);
  t.equal((await command(['verify'], env)).code, 0);
});

t.test('a failed drill is remembered by the next start', async (t) => {
  const dataDir = temporaryFolder(t);
  mkdirSync(join(dataDir, 'run'));
  const last = { ok: false, reason: 'media: it is', at: '2020-01-01T00:00:00.000Z', databases: {} };
  writeFileSync(join(dataDir, 'run', 'drill.json'), JSON.stringify({ last }));
  const system = await start(t, {}, dataDir);
  const reason = 'the drill of 2020-01-01T00:00:00.000Z failed: media: it is';
  like(t, await degraded(system), [{ name: 'drill', reason }]);
  t.equal((await command(['verify'], { DATA_DIR: dataDir })).code, 0);
  await until(async () => (await degraded(system)).length === 0, '/ready is well again');
});

t.test('drills take place by themselves, at low priority, and leave nothing behind', async (t) => {
  const dataDir = temporaryFolder(t);
  // As one leaves it that was killed together with its primary.
  mkdirSync(join(dataDir, 'drill'));
  writeFileSync(join(dataDir, 'drill', 'main.db'), 'half a database');
  const system = await start(t, { DRILL_INTERVAL_MS: '300' }, dataDir);
  let niceness: string | undefined;
  await until(() => {
    for (const pid of processesOf(dataDir)) {
      try {
        const isDrilling = /ninelives drill/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
        if (isDrilling) niceness = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[16];
      } catch {
        // It has just ended.
      }
    }
    return niceness === '19' && system.lines.filter(isDrill).length >= 3;
  }, 'three drills');
  for (const line of system.lines.filter(isDrill)) like(t, line, { drill: { ok: true } });
  like(t, JSON.parse(readFileSync(join(dataDir, 'run', 'drill.json'), 'utf8')), { last: { ok: true } });
  await request(`${system.url}/note`, { method: 'POST', body: noteOf('a') });
  t.equal((await system.stop()).code, 0, 'a stop does not wait for one');
  t.notOk(existsSync(join(dataDir, 'drill')));
});

t.test('that no drill has succeeded for long is trouble', async (t) => {
  const dataDir = temporaryFolder(t);
  mkdirSync(join(dataDir, 'run'));
  const last = { ok: true, at: '2020-01-01T00:00:00.000Z', databases: {} };
  writeFileSync(
    join(dataDir, 'run', 'drill.json'),
    JSON.stringify({ last, lastOkAtMs: Date.parse(last.at) }),
  );
  const system = await start(t, { DRILL_INTERVAL_MS: '3600000' }, dataDir);
  like(t, await degraded(system), [
    { name: 'drill', reason: 'the last drill that succeeded was at 2020-01-01T00:00:00.000Z' },
  ]);
  await system.stop();
  const off = await start(t, { DRILL_INTERVAL_MS: '0' }, dataDir);
  t.same(await degraded(off), [], 'unless nobody wants any');
});

t.test('without a running system the files that it left are verified', async (t) => {
  const system = await start(t);
  await request(`${system.url}/note`, { method: 'POST', body: noteOf('a') });
  await system.stop();
  const env = { DATA_DIR: system.dataDir };
  like(t, await command(['verify'], env), { code: 0, stdout: /^main: ok, .* \d+ rows compared/ });
  like(t, JSON.parse(readFileSync(join(system.dataDir, 'run', 'drill.json'), 'utf8')), {
    last: { ok: true },
  });
  rmSync(join(system.dataDir, 'replica', 'main'), { recursive: true });
  const failed = await command(['verify'], env);
  like(t, failed, { code: 80, stdout: /main: FAILED: .*nothing of this database/, stderr: /start it/ });
  const next = await start(t, {}, system.dataDir);
  t.equal((await request(`${next.url}/note/a`)).status, 200, 'and a start goes on with them');
});

t.test(
  'a replica that has lost a segment begins anew when a drill has found it, and can be restored',
  async (t) => {
    const system = await start(t, { REPLICA_SYNC_INTERVAL_MS: '50' });
    const { dataDir } = system;
    const env = { DATA_DIR: dataDir };
    const ids = Array.from({ length: 6 }, (_, index) => `renewed-${index}`);
    for (const id of ids) {
      const options = { method: 'POST', body: noteOf(id), headers: { Durability: 'replicated' } };
      t.equal((await request(`${system.url}/note`, options)).status, 201);
    }
    await system.stop();
    const segments = segmentsOf(dataDir, 'main');
    rmSync(segments[Math.floor(segments.length / 2)]!);

    const renewed = await start(t, NEWEST, dataDir);
    t.equal((await command(['verify'], env)).code, 80, 'a restart alone does not mend it');
    await until(
      async () => (await degraded(renewed)).length === 0,
      'it has begun anew, and is proven',
      30_000,
    );
    t.equal((await command(['verify'], env)).code, 0);
    await renewed.stop();

    for (const file of ['main.db', 'main.db-wal', 'main.db-shm'])
      rmSync(join(dataDir, file), { force: true });
    const restored = await start(t, {}, dataDir);
    for (const id of ids) {
      t.equal((await request(`${restored.url}/note/${id}`)).status, 200);
    }
  },
);

t.test('a drill whose process is killed has failed, and the next one does not mind', async (t) => {
  const system = await start(t, { REPLICA_STALL_TIMEOUT_MS: '60000' });
  const litestream = system.pidOf('litestream');
  // Without it the drill waits for a confirmation.
  process.kill(litestream, 'SIGSTOP');
  await request(`${system.url}/note`, { method: 'POST', body: noteOf('a') });
  const verifying = command(['verify'], { DATA_DIR: system.dataDir });
  let drill: number | undefined;
  await until(() => {
    drill = processesOf(system.dataDir).find((pid) => {
      try {
        return /ninelives drill/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        return false;
      }
    });
    return drill !== undefined && existsSync(join(system.dataDir, 'drill'));
  }, 'it drills');
  process.kill(drill as number, 'SIGKILL');
  like(t, await verifying, { code: 80 });
  like(t, await system.waitFor(isDrill), { drill: { ok: false, reason: /process .*SIGKILL/ } });
  t.notOk(existsSync(join(system.dataDir, 'drill')));
  process.kill(litestream, 'SIGCONT');
  t.equal((await command(['verify'], { DATA_DIR: system.dataDir })).code, 0);
});
