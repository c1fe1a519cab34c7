import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cleanEnv } from '../running-system.ts';
import type { Stage } from './stage.ts';

const COMMAND_TIMEOUT_MS = 120_000;

export interface CommandEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Everything that it printed, to whichever stream. */
  readonly output: string;
}

/**
 * Runs a command of the operator on the stage's system, and resolves when it has ended.
 * @param words the name of the command, and its arguments
 */
export async function run(stage: Stage, ...words: readonly string[]): Promise<CommandEnd> {
  const { root, cwd, nodePath, env } = stage.invocation;
  const child = spawn(nodePath, [join(root, 'src/bin.js'), ...words], {
    cwd,
    env: { ...cleanEnv(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMAND_TIMEOUT_MS,
    signal: stage.signal,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let output = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, output }));
  });
}

/** Tries to bring the release on disk into service. */
export async function reload(stage: Stage): Promise<CommandEnd> {
  return await run(stage, 'reload');
}

/** Brings the release on disk into service. @throws Error with the command's output when it is refused */
export async function mustReload(stage: Stage): Promise<void> {
  const { code, signal, output } = await reload(stage);
  if (code !== 0) throw new Error(`a good release was refused (${signal ?? code}): ${output.trim()}`);
}

/**
 * A restore from a damaged replica ends with another code, but puts the state before the damage in place.
 * @returns whether a restore has replaced the databases
 */
export function hasReplaced({ code, output }: CommandEnd): boolean {
  return code === 0 || output.includes('only what is before that was restored');
}
