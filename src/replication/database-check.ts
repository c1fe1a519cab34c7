import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Failure } from '../errors.ts';
import { dyingWithParent } from './litestream.ts';

const ENTRY = fileURLToPath(new URL('./database-check-main.ts', import.meta.url));

/** What the checking process says on its standard output. */
export type CheckAnswer =
  | { readonly healthy: true }
  | { readonly healthy: false; readonly problem: string }
  | { readonly error: string };

export type Check = 'quick_check' | 'integrity_check';

/**
 * Checks a database with SQLite's own check, its WAL included. This takes as long as reading the whole file, and
 * blocks: so a process of its own does it, which can be killed.
 *
 * @param path an existing file that nobody has open for writing
 * @returns what is wrong with it, or undefined
 * @throws Failure not_ready when aborted, internal when it could not be checked (that is not the same as damaged)
 */
export async function findDamage(
  path: string,
  signal?: AbortSignal,
  check: Check = 'quick_check',
): Promise<string | undefined> {
  const { command, args } = dyingWithParent(process.execPath, [ENTRY, path, check]);
  const { PATH, NINELIVES_DATA_DIR } = process.env;
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, NINELIVES_DATA_DIR },
    ...(signal && { signal, killSignal: 'SIGKILL' as const }),
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, killedBy) => resolve(`it ended with ${killedBy ?? `code ${code}`}`));
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const end = await ended;
  if (signal?.aborted) throw new Failure('not_ready', 'Stopped while checking the databases');
  const answer = parseAnswer(output);
  if (!answer || 'error' in answer) {
    throw new Failure('internal', `${path} could not be checked: ${answer?.error ?? end}`, {
      cause: new Error(errors || end),
    });
  }
  return answer.healthy ? undefined : answer.problem;
}

function parseAnswer(output: string): CheckAnswer | undefined {
  try {
    return JSON.parse(output) as CheckAnswer;
  } catch {
    return undefined;
  }
}
