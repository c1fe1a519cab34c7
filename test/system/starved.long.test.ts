import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Trouble } from '../../src/messages/messages.ts';
import { RunningSystem } from '../../src/testing/running-system.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { request } from '../support/http.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';
import { SETTINGS, serves, statusOf } from './starved-fixture.ts';

t.test('a primary whose Node.js is gone lives on, tells why, and brings everything back', async (t) => {
  const folder = temporaryFolder(t);
  const node = join(folder, 'node');
  copyFileSync(process.execPath, node);
  const system = RunningSystem.launch(temporaryFolder(t), SETTINGS, 'pipe', {
    nodePath: node,
    args: APP_ARGUMENTS,
  });
  t.teardown(() => system.destroy());
  await system.ready();
  await system.waitFor(({ msg }) => msg === 'tally ready');
  renameSync(node, `${node}-gone`);
  // The spare is one of them.
  for (const pid of processesOf(system.dataDir)) process.kill(pid, 'SIGKILL');
  await until(async () => {
    const { notReady, degraded } = (await statusOf(system)).status;
    return ['writer', 'tally'].every((name) =>
      [...notReady, ...degraded].some(
        (trouble: Trouble) =>
          trouble.name === name && /could not be started: spawn \S+ ENOENT/.test(trouble.reason),
      ),
    );
  }, 'the status says so');
  await until(async () => {
    const { notReady } = (await statusOf(system)).status;
    return notReady.some(({ name, reason }: Trouble) => name === 'worker' && reason === 'none serves');
  }, 'no worker is left, nor a spare');
  const answer = request(`${system.url}/health`);
  const died = await system.waitFor(
    ({ msg }) => /^worker-1 died: could not be started: .*; next start in \d+ ms$/.test(msg),
    0,
  );
  t.ok(died, 'it is tried again, as no fault of the code');
  renameSync(`${node}-gone`, node);
  t.equal((await answer).status, 200, 'a connection has waited for a worker');
  await serves(t, system);
});
