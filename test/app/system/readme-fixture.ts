import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { Deployment } from '../../../loadtest/chaos/deployment.ts';
import { cleanEnv } from '../../../src/testing/running-system.ts';
import { temporaryFolder } from '../../support/system.ts';

export const README = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

export const TIMEOUT_S = 150;

/** Ports and processes of its own: what it kills by name is its own, and 8080 is free. */
export const UNSHARE = ['--pid', '--net', '--fork', '--mount-proc', '--kill-child'];

export function obstacle(): string | false {
  const { status } = spawnSync('unshare', [...UNSHARE, 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' });
  return status === 0 ? false : 'no namespaces of its own are to be had here';
}

/** @returns the commands below a mark in README.md, as they stand there */
export function block(mark: string): string {
  return new RegExp(`<!-- ${mark} -->\n\`\`\`sh\n([\\s\\S]*?)\n\`\`\``).exec(README)?.[1] ?? '';
}

/** Runs commands in a copy of the project, as a reader does who pastes them; the last one is to end with 0. */
export async function paste(t: Test, script: string): Promise<string> {
  const { root } = new Deployment(join(temporaryFolder(t), 'app'));
  const path = join(root, 'pasted.sh');
  writeFileSync(path, `ip link set lo up\n${script}\n`);
  const node = join(root, 'node_modules', '.bin');
  const env = { ...cleanEnv(), WORKERS: '2', PATH: `${node}:${process.env.PATH}` };
  // unshare waits for its child at a SIGTERM, and the child is the first process of its namespace, which heeds none.
  const child = spawn('timeout', ['--signal=KILL', String(TIMEOUT_S), 'unshare', ...UNSHARE, 'bash', path], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [[status], out, err] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ]);
  t.equal(status, 0, `the last command does what it says: ${err}`);
  return out.replace(/^\{"level".*$/gm, '');
}
