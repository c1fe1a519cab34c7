import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import type { SystemSnapshot } from '../../src/runtime/snapshot.ts';
import { command } from '../commands/command.ts';
import { request } from '../support/http.ts';
import { requestAt } from '../support/request-at.ts';
import { type RunningSystem, start } from '../support/system.ts';

const OF_OPERATOR = ['/metrics', '/ops', '/ops/ops.js', '/health', '/ready'];
const OF_OTHERS = [
  '/',
  '/alert',
  '/alert/movie/x',
  '/docs',
  '/openapi.json',
  '/unsubscribe/x',
  '/movie/image/x',
];
/** The permissions of a file. */
const MODE = 0o777;

async function keyOf(system: RunningSystem, scope: string): Promise<{ Authorization: string }> {
  const made = await command(['keys', 'create', '--name', scope, '--scope', scope], {
    DATA_DIR: system.dataDir,
  });
  return { Authorization: `Bearer ${made.stdout.trim()}` };
}

t.test(
  'the operator is served at a socket of its owner alone, without a key, and nobody else is',
  async (t) => {
    const system = await start(t);
    const path = join(system.dataDir, 'run', 'ops.sock');
    t.equal(statSync(path).mode & MODE, 0o600);
    t.equal((await system.ready()).ops, `unix:${path}`);
    const statusOf = async (target: string, options = {}) => (await requestAt(path, target, options)).status;
    for (const keys of ['no key', 'a key']) {
      for (const target of OF_OPERATOR) t.equal(await statusOf(target), 200, `${target} with ${keys}`);
      for (const target of OF_OTHERS) t.equal(await statusOf(target), 404, `${target} with ${keys}`);
      t.equal(await statusOf('/alert', { method: 'POST' }), 404);
      t.ok(
        (await requestAt(path, '/ready?verbose')).text.includes('"replication"'),
        (await requestAt(path, '/ready?verbose')).text,
      );
      if (keys === 'no key') await keyOf(system, 'admin');
    }
    t.equal((await request(`${system.url}/metrics`)).status, 401, 'everybody needs one');
    const { stdout } = await command(['status', '--json'], { DATA_DIR: system.dataDir });
    t.equal((JSON.parse(stdout) as SystemSnapshot).ops, `unix:${path}`);
    t.ok(
      (await command(['status'], { DATA_DIR: system.dataDir })).stdout.includes(
        `\noperator    unix:${path}\n`,
      ),
      (await command(['status'], { DATA_DIR: system.dataDir })).stdout,
    );
    t.equal((await system.stop()).code, 0);
    t.notOk(existsSync(path));
  },
);

t.test(
  'connections of the operator wait for a worker, as all do, and are still known for what they are',
  async (t) => {
    const system = await start(t, { SPARE_WORKERS: '0' });
    const path = join(system.dataDir, 'run', 'ops.sock');
    await keyOf(system, 'admin');
    const from = system.lines.length;
    for (const name of ['worker-1', 'worker-2']) process.kill(system.pidOf(name), 'SIGKILL');
    const answers = Array.from({ length: 8 }, () => requestAt(path, '/metrics'));
    // A worker may take a connection before it is dead; what it took ends with it.
    const settled = await Promise.allSettled(answers);
    const came = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value.status] : []));
    t.ok(came.length > 0);
    t.same([...new Set(came)], [200]);
    await system.waitFor(({ msg }) => msg === 'worker-2 ready', from);
    t.equal((await command(['reload'], { DATA_DIR: system.dataDir })).code, 0);
    t.equal((await requestAt(path, '/metrics')).status, 200, 'after a reload');
  },
);

t.test('a port of the operator takes a key, and no name but its own', async (t) => {
  const port = await freePort();
  const system = await start(t, { OPS_LISTEN: `127.0.0.1:${port}` });
  t.equal((await system.ready()).ops, `http://127.0.0.1:${port}`);
  t.notOk(existsSync(join(system.dataDir, 'run', 'ops.sock')));
  const statusOf = async (target: string, headers = {}) =>
    (await requestAt(port, target, { headers })).status;
  t.equal(await statusOf('/metrics'), 401, 'whoever is on this machine can open a port');
  t.equal((await request(`${system.url}/metrics`)).status, 200, 'at the other port while there are none');
  const keys = { metrics: await keyOf(system, 'metrics'), admin: await keyOf(system, 'admin') };
  const read = await keyOf(system, 'read');
  t.same([await statusOf('/metrics', keys.metrics), await statusOf('/metrics', keys.admin)], [200, 200]);
  t.same([await statusOf('/ops/live', keys.metrics), await statusOf('/metrics', read)], [403, 403]);
  for (const target of ['/health', '/ready', '/ops']) t.equal(await statusOf(target), 200, target);
  for (const target of OF_OTHERS) t.equal(await statusOf(target, read), 404, target);
  for (const Host of ['evil.example', 'localhost.evil.example', `127.0.0.1.evil.example:${port}`]) {
    t.equal(await statusOf('/metrics', { ...keys.admin, Host }), 403, Host);
    t.equal(await statusOf('/ops', { Host }), 403, Host);
    t.equal(await statusOf('/ready', { Host }), 200, 'a probe is for anybody');
  }
  t.equal(await statusOf('/metrics', { ...keys.admin, Host: `localhost:${port}` }), 200);
});
