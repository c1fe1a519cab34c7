import t from 'tap';
import { everyWriteIsThere } from '../support/history.ts';
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
      await until(() => clients.acknowledged.length > before + 100, 'writes are answered');
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
    await until(() => clients.acknowledged.length > 100, 'writes are answered');
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
