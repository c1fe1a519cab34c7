import t from 'tap';
import { version } from '../../src/platform/version.ts';
import { like } from '../support/like.ts';
import { writeNotes } from '../support/note-clients.ts';
import { startPair, temporaryFolder, until } from '../support/system.ts';
import { command } from './command.ts';
import { commandNames, tellsItsUse } from './operate-fixture.ts';

t.test('each role is restarted while the rest serves, and the whole is stopped', async (t) => {
  const system = await startPair(t);
  const env = { DATA_DIR: system.dataDir };
  const clients = writeNotes(t, { url: system.url, connections: 4, prefix: 'r', hungAfterMs: 10_000 });
  await until(() => clients.acknowledged.length > 20, 'writes are answered');
  const pids = async () => {
    const { stdout } = await command(['status', '--json'], env);
    const { children } = JSON.parse(stdout) as { children: { name: string; pid: number }[] };
    return new Map(children.map(({ name, pid }) => [name, pid]));
  };
  const before = await pids();
  for (const [role, names] of [
    ['worker-2', ['worker-2']],
    ['writer', ['writer']],
    ['litestream', ['litestream']],
    ['worker', ['worker-1', 'worker-2']],
  ] as const) {
    const ran = await command(['restart', role], env);
    like(t, ran, { code: 0, stdout: `restarted: ${names.join(', ')}\n` }, ran.stderr);
    t.match(ran.stderr, new RegExp(`^restarting ${role}\n`), 'progress in plain lines where nobody looks on');
  }
  const after = await pids();
  for (const name of ['worker-1', 'worker-2', 'writer', 'litestream'])
    t.not(after.get(name), before.get(name), name);
  like(t, await command(['restart', 'nobody'], env), {
    code: 64,
    stderr: /There is no nobody; there are .*writer/,
  });
  like(t, await command(['restart'], env), { code: 64, stderr: /Expected one ROLE/ });
  const reloaded = await command(['reload'], env);
  t.equal(reloaded.code, 0, reloaded.stderr);
  t.equal(
    reloaded.stdout.replace(/\([0-9a-f]{16}\)/, '(hash)'),
    `nothing changed: ${version} (hash) runs, as before; its processes were exchanged: writer, tally, worker-1, worker-2\n`,
  );
  await clients.stop();
  t.same(clients.failed, []);
  like(t, await command(['stop'], env), { code: 0, stdout: 'stopped\n' });
  like(t, await system.ended(), { code: 0 });
  like(t, await command(['stop'], env), { code: 75, stderr: /No system runs on/ });
});

t.test('every command tells what it does, and a wrong option is an error', async (t) => {
  const env = { DATA_DIR: temporaryFolder(t) };
  const names = await commandNames(env);
  t.ok(names.length >= 9, names.join());
  for (const name of names) {
    await tellsItsUse(t, name, env);
  }
});
