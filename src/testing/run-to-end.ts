import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * Runs a command of which only the success matters.
 * @param what it does, for the error
 * @throws Error with its standard error when it does not end with 0
 */
export async function runToEnd(
  what: string,
  command: string,
  args: readonly string[],
  { env, signal, timeoutMs }: RunOptions,
): Promise<void> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env,
    timeout: timeoutMs,
    signal,
    killSignal: 'SIGKILL',
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${what} ended with ${code}: ${stderr.trim()}`));
    });
  });
}
