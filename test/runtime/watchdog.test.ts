import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import { RunningSystem } from '../../src/testing/running-system.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';

const WATCHDOG = new URL('../../src/runtime/watchdog.ts', import.meta.url).href;
const BLOCK = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';
/** Tells that it is about to block. */
const MARK = `(await import('node:fs')).writeFileSync(process.env.NINELIVES_DATA_DIR + '/loading-' + process.pid, '');`;
const ORPHANED_TIMEOUT_MS = 2000;

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

t.test('a process that hangs ends, also when nobody reads what it has to say', async (t) => {
  const fifo = join(temporaryFolder(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, 'r+');
  t.teardown(() => closeSync(fd));
  const program = `
    const { startWatchdog } = await import('${WATCHDOG}');
    const { constants, openSync, writeSync } = await import('node:fs');
    const full = openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
    try { for (;;) writeSync(full, 'x'.repeat(4096)); } catch {}
    startWatchdog(300, process.ppid).arm();
    setTimeout(() => { ${BLOCK} }, 500);`;
  // tap's own hook would listen for the signal.
  const plain = ['-u', 'NODE_OPTIONS', process.execPath, '--input-type=module', '-e', program];
  const child = spawn('env', plain, {
    stdio: ['ignore', fd, 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  t.same(await once(child, 'exit'), [null, 'SIGALRM']);
});
