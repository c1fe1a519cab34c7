import { type ChildProcess, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { bare } from '../support/bare.ts';

/** The program. */
export const ENTRY = new URL('../../src/bin.js', import.meta.url).pathname;

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts one command of the program as a person would; nothing of this process's environment counts. */
export function startCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd = env.DATA_DIR,
): { readonly process: ChildProcess; readonly ended: Promise<Ran> } {
  const child = spawn(...bare(process.execPath, [ENTRY, ...args, ...APP_ARGUMENTS]), {
    cwd,
    env: { ...cleanEnv(), LITESTREAM_BIN: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const ended = Promise.all([code, text(child.stdout), text(child.stderr)]).then(
    ([exitCode, stdout, stderr]) => ({ code: exitCode, stdout, stderr }),
  );
  return { process: child, ended };
}

/** Runs one to its end. */
export async function command(args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string): Promise<Ran> {
  return startCommand(args, env, cwd).ended;
}
