import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { readEvents } from '../../src/supervisor/events.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { bare } from '../support/bare.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';

export const ROOT = new URL('../../', import.meta.url).pathname;

/** Of the app that the tests are about. */
export const NPM_START = ['npm', 'start', '--', ...APP_ARGUMENTS];

export interface Started {
  readonly dataDir: string;
  readonly child: ChildProcess;
  readonly lines: readonly string[];
  readonly url: string;
  readonly primaryPid: number;
}

/** Starts a real system by a command that is not the system itself, and waits until it serves. */
export async function startBy(
  t: Test,
  command: readonly string[],
  more: NodeJS.ProcessEnv = {},
): Promise<Started> {
  const dataDir = temporaryFolder(t);
  const { PATH, HOME } = process.env;
  const [program = '', ...args] = command;
  const child = spawn(...bare(program, args), {
    cwd: ROOT,
    env: { PATH, HOME, DATA_DIR: dataDir, PORT: '0', WORKERS: '1', LOG_FORMAT: 'json', ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (isAlive(primaryPid)) process.kill(primaryPid, 'SIGKILL');
    await until(() => !isAlive(primaryPid) && processesOf(dataDir).length === 0, 'every process is gone');
  });
  let primaryPid = 0;
  await until(() => lines.some((line) => line.includes('"msg":"ready: ')), 'it is ready');
  const ready = JSON.parse(lines.find((line) => line.includes('"msg":"ready: ')) ?? '');
  primaryPid = ready.pid;
  return { dataDir, child, lines, url: ready.url, primaryPid };
}

export function isAlive(pid: number): boolean {
  try {
    if (pid > 0) process.kill(pid, 0);
    return pid > 0;
  } catch {
    return false;
  }
}

export async function assertStopped(
  t: Test,
  { dataDir, primaryPid, lines }: Started,
  cause: string,
): Promise<void> {
  await until(() => !isAlive(primaryPid), 'the primary has ended');
  t.same(processesOf(dataDir), []);
  t.equal(readEvents(dataDir).at(-1)?.kind, 'stop');
  t.equal(readEvents(dataDir).at(-1)?.cause, cause);
  await until(() => lines.some((line) => line.includes('"msg":"stopped"')), 'it said so');
}

/** Has npm start the system, sends the signal to npm, and holds that the system has stopped. */
export async function stopsBy(t: Test, signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
  const started = await startBy(t, NPM_START);
  started.child.kill(signal);
  const [code] = await once(started.child, 'exit');
  t.equal(code, 0);
  t.notOk(isAlive(started.primaryPid), 'npm has waited for it');
  await assertStopped(t, started, signal);
}
