import t from 'tap';
import { HonestClients } from '../../loadtest/support/honest-client.ts';
import { everyWriteIsThere } from '../support/history.ts';
import { request } from '../support/http.ts';
import { start, until } from '../support/system.ts';

t.test('reloads under load replace every child and fail no request', async (t) => {
  const system = await start(t);
  const old = system.pidOf('worker-1');
  const clients = new HonestClients({
    url: system.url,
    connections: 20,
    prefix: 'reload',
    hungAfterMs: 10_000,
  });
  for (let reload = 0; reload < 3; reload += 1) {
    const from = system.lines.length;
    const before = clients.acknowledged.length;
    await until(() => clients.acknowledged.length > before + 300, 'writes are answered');
    system.kill('SIGHUP');
    const done = await system.waitFor((line) => line.msg === 'reload done', from);
    t.same(done.replaced, ['worker-1', 'worker-2', 'mailer', 'writer']);
  }
  await clients.stop();
  t.same(clients.failed, []);
  t.not(system.pidOf('worker-1'), old);
  everyWriteIsThere(t, system.dataDir, clients.acknowledged);
});

t.test('workers that have served enough are replaced one after the other, unnoticed', async (t) => {
  const system = await start(t, { MAX_REQUESTS: '200' });
  const clients = new HonestClients({ url: system.url, connections: 10, prefix: 'age', hungAfterMs: 10_000 });
  for (const name of ['worker-1', 'worker-2']) {
    await system.waitFor(
      (line) => line.msg.startsWith(`${name} ready, replaces`) && /served/.test(String(line.cause)),
    );
  }
  await clients.stop();
  t.same(clients.failed, []);
});

t.test('a worker past its memory limit is replaced', async (t) => {
  const system = await start(t, { MEMORY_LIMIT_MB: '40' });
  const line = await system.waitFor(({ msg }) => msg.startsWith('worker-1 ready, replaces'));
  t.match(line.cause, /memory \d+ MB is past its limit of 40 MB/);
});

t.test('a Litestream that stands still is noticed, shown and replaced', async (t) => {
  const system = await start(t, { REPLICA_SYNC_INTERVAL_MS: '100', REPLICA_STALL_TIMEOUT_MS: '1500' });
  const clients = new HonestClients({
    url: system.url,
    connections: 2,
    prefix: 'stall',
    hungAfterMs: 10_000,
  });
  await until(() => clients.acknowledged.length > 20, 'writes are answered');
  const from = system.lines.length;
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  await until(async () => {
    const { json } = await request(`${system.url}/ready`);
    return json.ready && /replication/.test(JSON.stringify(json.degraded));
  }, '/ready tells of it while the service goes on');
  await system.waitFor(({ msg }) => /^litestream died: stalled/.test(msg), from);
  await system.waitFor(({ msg }) => msg === 'replication is streaming again', from);
  await clients.stop();
  t.same(clients.failed, []);
});
