import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { bare } from '../support/bare.ts';
import { temporaryFolder } from '../support/system.ts';

/** Above what may wait, with the rest of a small process. */
const MEMORY_MAX_BYTES = 48 * 1024 * 1024;
export const WRITER = new URL('../support/log-writer.ts', import.meta.url).pathname;

/** Floods a log that nobody reads. */
export async function flood(t: Test, kind: 'pipe' | 'socket', format: 'json' | 'text'): Promise<void> {
  const fifo = join(temporaryFolder(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  // For both: its opening waits for nobody then.
  const fd = openSync(fifo, 'r+');
  t.teardown(() => closeSync(fd));
  // Node makes a socket for what it calls a pipe.
  const stdout = kind === 'pipe' ? fd : 'pipe';
  const child = spawn(...bare(process.execPath, [WRITER, 'flood', format]), {
    stdio: ['ignore', stdout, 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'exit');
  t.equal(code, 3);
  t.ok(Number(stderr) > 0 && Number(stderr) < MEMORY_MAX_BYTES, `${stderr} bytes`);
}
