import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import { RunningSystem } from '../../src/testing/running-system.ts';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { nodeChildrenOf, withoutDeathSignal } from '../support/orphans.ts';
import { processesOf, start, temporaryFolder, until } from '../support/system.ts';

const BLOCK = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';
/** Tells that it is about to block. */
const MARK = `(await import('node:fs')).writeFileSync(process.env.NINELIVES_DATA_DIR + '/loading-' + process.pid, '');`;
const ORPHANED_TIMEOUT_MS = 2000;

t.test('a child that blocks while it loads does not outlive a killed primary', async (t) => {
  const folder = temporaryFolder(t);
  const code = new Deployment(join(folder, 'project'), DEPLOYED_APP);
  for (const entry of ['src/worker/main.ts', 'src/writer/main.ts', 'src/background/main.ts']) {
    code.prepend(entry, `${MARK}\n${BLOCK}`);
  }
  const dataDir = temporaryFolder(t);
  const system = RunningSystem.launch(dataDir, {}, 'pipe', { root: code.root });
  t.teardown(() => system.destroy());
  const isLoading = (name: string) => name.startsWith('loading-');
  // Two workers and the tally load ahead; the writer waits for its turn.
  await until(() => readdirSync(dataDir).filter(isLoading).length >= 3, 'the children load');
  system.kill('SIGKILL');
  await system.ended();
  await until(() => processesOf(dataDir).length === 0, 'they are gone', ORPHANED_TIMEOUT_MS);
});

t.test('where the kernel cannot end them, children end by themselves with their primary', async (t) => {
  const system = await start(t, withoutDeathSignal(t));
  const { dataDir } = system;
  await until(() => nodeChildrenOf(dataDir).length === 3, 'a worker, the writer and the tally run');
  system.kill('SIGKILL');
  await system.ended();
  await until(() => nodeChildrenOf(dataDir).length === 0, 'they are gone', ORPHANED_TIMEOUT_MS);
});
