import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { requestAt } from '../support/request-at.ts';
import { startPair } from '../support/system.ts';
import { keyOf, OF_OTHERS } from './ops-listen-fixture.ts';

t.test(
  'connections of the operator wait for a worker, as all do, and are still known for what they are',
  async (t) => {
    const system = await startPair(t, { SPARE_WORKERS: '0' });
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
  const system = await startPair(t, { OPS_LISTEN: `127.0.0.1:${port}` });
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
