import t from 'tap';
import { command } from '../commands/command.ts';
import { everyWriteIsThere } from '../support/history.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { writeNotes } from '../support/note-clients.ts';
import { processesOf, startPair, until } from '../support/system.ts';
import { stoppedNext } from './replace-fixture.ts';

t.test('reloads under load replace every child and fail no request', async (t) => {
  const system = await startPair(t);
  const old = system.pidOf('worker-1');
  const clients = writeNotes({
    url: system.url,
    connections: 20,
    prefix: 'reload',
    hungAfterMs: 10_000,
  });
  for (let reload = 0; reload < 2; reload += 1) {
    const from = system.lines.length;
    const before = clients.acknowledged.length;
    await until(() => clients.acknowledged.length > before + 300, 'writes are answered');
    system.kill('SIGHUP');
    const done = await system.waitFor((line) => line.msg.startsWith('reload done'), from);
    t.strictSame(done.replaced, ['writer', 'tally', 'worker-1', 'worker-2']);
  }
  await clients.stop();
  t.same(clients.failed, []);
  t.not(system.pidOf('worker-1'), old);
  everyWriteIsThere(t, system.dataDir, clients.acknowledged);
});

t.test('the writer dies while its successor stands still: another one writes at once', async (t) => {
  const system = await startPair(t);
  const before = new Set(processesOf(system.dataDir));
  const old = system.pidOf('writer');
  const restarting = command(['restart', 'writer'], { DATA_DIR: system.dataDir });
  const next = await stoppedNext(system, /writer/, before);
  process.kill(old, 'SIGKILL');
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
  process.kill(next, 'SIGCONT');
  like(t, await restarting, { code: 0, stdout: 'restarted: writer\n' });
  await system.waitFor(({ msg, childPid }) => msg.startsWith('writer ready, ') && childPid === next);
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('y') })).status, 201);
});
