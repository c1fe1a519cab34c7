import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t, { type Test } from 'tap';
import { alertOf, request } from '../support/http.ts';
import { processesOf, type RunningSystem, start, until } from '../support/system.ts';

const ALERTS = 300;
const PAGE_BYTES = 4096;

/** A system whose alerts are in main.db itself and in the replica, not only in the WAL. */
async function systemWithAlerts(t: Test, settings: NodeJS.ProcessEnv): Promise<RunningSystem> {
  // On a machine that does other things too, nothing shall be refused for that.
  const env = { OVERLOAD_LAG_MS: '0', REPLICATED_TIMEOUT_MS: '60000', ...settings };
  const first = await start(t, env);
  for (let alert = 0; alert < ALERTS; alert += 20) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        request(`${first.url}/alert`, { method: 'POST', body: alertOf(`${alert + index}`) }),
      ),
    );
    t.ok(answers.every(({ status }) => status === 201));
  }
  await first.stop();
  // Closing the last connection checkpoints.
  new Sqlite(join(first.dataDir, 'main.db')).exec('PRAGMA wal_checkpoint(TRUNCATE)').close();
  const system = await start(t, env, first.dataDir);
  // Its replica begins a new generation after a foreign checkpoint: wait until that holds everything.
  const probe = { method: 'POST', body: alertOf('0'), headers: { Durability: 'replicated' } };
  t.equal((await request(`${system.url}/alert`, probe)).status, 200);
  return system;
}

/** Overwrites everything but the first page, as a bad disk would. */
function damage(dataDir: string): void {
  const path = join(dataDir, 'main.db');
  const pages = Math.floor(statSync(path).size / PAGE_BYTES);
  const file = openSync(path, 'r+');
  for (let page = 1; page < pages; page += 1)
    writeSync(file, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, page * PAGE_BYTES);
  closeSync(file);
}

t.test(
  'a database found damaged while it serves is put aside and restored, with the port open',
  async (t) => {
    const system = await systemWithAlerts(t, {});
    damage(system.dataDir);
    const hit = await request(`${system.url}/alert?limit=100`);
    t.match(hit.json, { status: 500, code: 'storage_corrupt' }, 'the one that met it is told');
    await Promise.all(
      ['worker-1', 'worker-2'].map((name) => system.waitFor(({ msg }) => msg === `${name} stopped`)),
    );
    const waiting = request(`${system.url}/alert?limit=100`);
    await system.waitFor(({ msg }) => msg.startsWith('healed'));
    t.match(await waiting, { status: 200 }, 'one that came meanwhile waited');
    let found = 0;
    let cursor = '';
    do {
      const { json } = await request(`${system.url}/alert?limit=100${cursor}`);
      found += json.items.length;
      cursor = json.has_more ? `&cursor=${json.next_cursor}` : '';
    } while (cursor);
    t.equal(found, ALERTS, 'every alert is back');
    t.equal(readdirSync(join(system.dataDir, 'damaged')).length, 1, 'the damaged file is kept');
    t.equal((await request(`${system.url}/alert`, { method: 'POST', body: alertOf('new') })).status, 201);
  },
);

t.test('with HEAL=manual it stops instead, changes nothing and says what to do', async (t) => {
  const system = await systemWithAlerts(t, { HEAL: 'manual' });
  damage(system.dataDir);
  await request(`${system.url}/alert?limit=100`);
  t.equal((await system.ended()).code, 65);
  t.match(system.stderr, /damaged.*HEAL=manual.*start once with HEAL=auto.*restore -- --in-place/);
  t.notOk(readdirSync(system.dataDir).includes('damaged'));
});

t.test('healing says exactly which commits were newer than the replica', async (t) => {
  const system = await systemWithAlerts(t, {
    REPLICA_STALL_TIMEOUT_MS: '60000',
    REPLICA_STOP_TIMEOUT_MS: '100',
  });
  const lastCommit = async () => {
    const { json } = await request(`${system.url}/ready?verbose`);
    return json.replication.databases.main.lastCommit.ordinal;
  };
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  await until(async () => (await lastCommit()) > 0, 'the writer has told');
  for (const id of ['lost-1', 'lost-2', 'lost-3']) {
    t.equal((await request(`${system.url}/alert`, { method: 'POST', body: alertOf(id) })).status, 201);
  }
  damage(system.dataDir);
  await request(`${system.url}/alert?limit=100`);
  const { loss } = await system.waitFor((line) => line.database === 'main' && line.outcome === 'restored');
  const told =
    /^it ends with commit (\d+) of \S+; 3 newer commits were not in the replica and are lost: (\d+) to (\d+), of 2/.exec(
      String(loss),
    );
  t.ok(told, String(loss));
  const [held, from, to] = (told ?? []).slice(1).map(Number);
  t.same([from, to], [held! + 1, held! + 3]);
  await system.waitFor(({ msg }) => msg.startsWith('healed'));
  await until(async () => (await lastCommit()) === held, 'the new writer goes on from there');
});

t.test('a stop in the middle of healing ends everything, and brings nothing up any more', async (t) => {
  const system = await systemWithAlerts(t, {});
  damage(system.dataDir);
  await request(`${system.url}/alert?limit=100`);
  await system.waitFor(({ msg }) => msg.startsWith('A database is damaged'));
  t.equal((await system.stop()).code, 0);
  t.same(processesOf(system.dataDir), []);
});
