import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { bare } from '../../support/bare.ts';
import { temporaryFolder } from '../../support/system.ts';

export const MAIN = new URL('../../../loadtest/chaos/main.ts', import.meta.url).pathname;

/** Runs the command with its temporary files in a folder of its own. */
export function chaos(t: Test, args: string[]) {
  const folder = temporaryFolder(t);
  const child = spawn(...bare(process.execPath, [MAIN, ...args]), {
    env: { ...process.env, TMPDIR: folder },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said.text += chunk));
  return { child, folder, said };
}

export async function endOf(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'close');
  return code;
}
