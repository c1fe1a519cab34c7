import t from 'tap';
import { everyWriteIsThere } from '../support/history.ts';
import { writeNotes } from '../support/note-clients.ts';
import { startPair, until } from '../support/system.ts';

t.test('reloads under load replace every child and fail no request', async (t) => {
  const system = await startPair(t);
  const old = system.pidOf('worker-1');
  const clients = writeNotes(t, {
    url: system.url,
    connections: 20,
    prefix: 'reload',
    requestsPerSecond: 300,
  });
  for (let reload = 0; reload < 2; reload += 1) {
    const from = system.lines.length;
    const before = clients.acknowledged.length;
    await until(() => clients.acknowledged.length > before + 100, 'writes are answered');
    system.kill('SIGHUP');
    const done = await system.waitFor((line) => line.msg.startsWith('reload done'), from);
    t.strictSame(done.replaced, ['writer', 'tally', 'worker-1', 'worker-2']);
  }
  await clients.stop();
  t.same(clients.failed, []);
  t.not(system.pidOf('worker-1'), old);
  everyWriteIsThere(t, system.dataDir, clients.acknowledged);
});
