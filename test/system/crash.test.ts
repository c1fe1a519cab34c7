import t from 'tap';
import type { Trouble } from '../../src/messages/messages.ts';
import { everyWriteIsThere } from '../support/history.ts';
import { noteOf, request } from '../support/http.ts';
import { writeNotes } from '../support/note-clients.ts';
import { processesOf, startPair, until } from '../support/system.ts';
import { HUNG_AFTER_MS } from './crash-fixture.ts';

t.test(
  'a writer killed under a stream of writes loses none, doubles none, and no client sees it',
  async (t) => {
    const system = await startPair(t);
    const clients = writeNotes(t, {
      url: system.url,
      connections: 30,
      prefix: 'writer',
      hungAfterMs: HUNG_AFTER_MS,
    });
    for (let kill = 0; kill < 5; kill += 1) {
      const before = clients.acknowledged.length;
      await until(() => clients.acknowledged.length > before + 300, 'writes are answered');
      await system.killChild('writer');
    }
    await clients.stop();
    t.same(clients.failed, [], 'every client got its answer');
    everyWriteIsThere(t, system.dataDir, clients.acknowledged);
  },
);

t.test(
  'when the primary is killed every process goes within 2 s, and the next start works at once',
  async (t) => {
    const system = await startPair(t, { SPARE_WORKERS: '1' });
    const clients = writeNotes(t, {
      url: system.url,
      connections: 10,
      prefix: 'primary',
      hungAfterMs: HUNG_AFTER_MS,
    });
    t.teardown(() => clients.stop());
    await until(() => clients.acknowledged.length > 300, 'writes are answered');
    await until(
      () => processesOf(system.dataDir).length === 6,
      'two workers, a spare, the writer, the tally, Litestream',
    );
    system.kill('SIGKILL');
    await until(() => processesOf(system.dataDir).length === 0, 'every process is gone', 2000);
    await clients.stop();
    const next = await startPair(t, {}, system.dataDir);
    everyWriteIsThere(t, next.dataDir, clients.acknowledged);
  },
);

t.test('what nobody makes up for is back soon, however often its code fails', async (t) => {
  const system = await startPair(t, {
    SPARE_WORKERS: '1',
    RESTART_INTENSITY: '2',
    RESTART_BACKOFF_MAX_MS: '200',
    BREAKER_RETRY_MS: '3600000',
  });
  await system.killChild('worker-1', 'SIGBUS');
  const isBroken = ({ msg }: { msg: string }) => /^worker-1 died: killed by SIGBUS; breaker open/.test(msg);
  const broken = system.waitFor(isBroken);
  process.kill(system.pidOf('worker-1'), 'SIGBUS');
  await broken;
  for (let fault = 0; fault < 4; fault += 1) await system.killChild('worker-2', 'SIGBUS');
  for (let fault = 0; fault < 4; fault += 1) await system.killChild('writer', 'SIGBUS');
  const { status } = await request(`${system.url}/note`, { method: 'POST', body: noteOf('after') });
  t.equal(status, 201, 'the whole serves');
  const { json } = await request(`${system.url}/ready?verbose`);
  const reasons = new Map(json.degraded.map(({ name, reason }: Trouble) => [name, reason]));
  for (const name of ['worker-2', 'writer'])
    t.match(reasons.get(name), /^serves again, and is failing again and again: \d+ was killed by SIGBUS$/);
});
