import t from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { WriterClient } from '../../src/writer-client/client.ts';
import { REPLICATED_QUERY, writerSocketPath } from '../../src/writer-client/protocol.ts';
import { noteOf, request } from '../support/http.ts';
import { start } from '../support/system.ts';

t.test('the writer tells who asks whether the replica holds what a database has', async (t) => {
  const system = await start(t);
  const client = new WriterClient({
    socketPath: writerSocketPath(system.dataDir),
    name: 'test',
    deadlineMs: 5000,
    queueMax: 1,
    log: createLog('test', 'silent', 'json'),
  });
  t.teardown(() => client.close());
  client.connect();
  const ask = (database: string, timeoutMs: number) =>
    client.write(REPLICATED_QUERY, { database, timeoutMs }, { replicatedTimeoutMs: timeoutMs });
  t.equal(await ask('main', 20_000), true);
  const litestream = system.pidOf('litestream');
  process.kill(litestream, 'SIGSTOP');
  const answer = await request(`${system.url}/note`, { method: 'POST', body: noteOf('a') });
  t.equal(answer.status, 201);
  t.equal(await ask('main', 100), false, 'not what was committed since');
  process.kill(litestream, 'SIGCONT');
  t.equal(await ask('main', 20_000), true);
  await t.rejects(ask('other', 100), { code: 'internal' });
});
