import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import { RunningSystem } from '../../src/testing/running-system.ts';
import { processesOf, start, temporaryFolder, until } from '../support/system.ts';

const BLOCK = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';
/** Tells that it is about to block. */
const MARK = `(await import('node:fs')).writeFileSync(process.env.NINELIVES_DATA_DIR + '/loading-' + process.pid, '');`;
const ORPHANED_TIMEOUT_MS = 2000;
/** Starts the system of a test, and fails where that tries what it can. */
const SETPRIV_OF_LITTLE_USE = '#!/bin/sh\nshift 3\n[ "$1" = true ] && exit 1\nexec "$@"\n';

/** @returns '' for one that is gone */
function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

t.test('a child that blocks while it loads does not outlive a killed primary', async (t) => {
  const folder = temporaryFolder(t);
  const code = new Deployment(join(folder, 'project'));
  for (const entry of ['src/worker/main.ts', 'src/writer/main.ts', 'src/background/main.ts']) {
    code.prepend(entry, `${MARK}\n${BLOCK}`);
  }
  const dataDir = temporaryFolder(t);
  const system = RunningSystem.launch(dataDir, {}, 'pipe', { root: code.root });
  t.teardown(() => system.destroy());
  const isLoading = (name: string) => name.startsWith('loading-');
  // Two workers and the mailer load ahead; the writer waits for its turn.
  await until(() => readdirSync(dataDir).filter(isLoading).length >= 3, 'the children load');
  system.kill('SIGKILL');
  await system.ended();
  await until(() => processesOf(dataDir).length === 0, 'they are gone', ORPHANED_TIMEOUT_MS);
});

t.test(
  'where the kernel cannot end them, children end by themselves when their primary is killed',
  async (t) => {
    const dataDir = temporaryFolder(t);
    const bin = temporaryFolder(t);
    writeFileSync(join(bin, 'setpriv'), SETPRIV_OF_LITTLE_USE, { mode: 0o755 });
    const system = await start(t, { PATH: `${bin}:${process.env.PATH}` }, dataDir);
    const isChild = (pid: number) => /^ninelives (?:worker-1|writer|mailer)/.test(titleOf(pid));
    await until(() => processesOf(dataDir).filter(isChild).length === 3, 'all of them run');
    system.kill('SIGKILL');
    await system.ended();
    await until(() => !processesOf(dataDir).some(isChild), 'they are gone', ORPHANED_TIMEOUT_MS);
  },
);
