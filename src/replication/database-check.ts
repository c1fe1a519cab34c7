import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { dyingWithParent } from '../platform/dying-with-parent.ts';
import { Failure } from '../platform/errors.ts';
import { type Check, type CheckAnswer, checkHere } from './check-here.ts';

const ENTRY = fileURLToPath(new URL(`./database-check-main${extname(import.meta.url)}`, import.meta.url));

/** A database up to this size, its WAL included, is checked in less time than it takes to start a process. */
const SMALL_MAX_BYTES = 8 * 1024 * 1024;

/**
 * Checks a database with SQLite's own check, its WAL included. That takes as long as reading the whole file, and
 * blocks. So unless the file is small, a process of its own does it, which can be killed.
 *
 * @param path an existing file that nobody has open for writing
 * @returns what is wrong with it, or undefined
 * @throws Failure not_ready when aborted, internal when it could not be checked (which does not mean damaged)
 */
export async function findDamage(
  path: string,
  signal?: AbortSignal,
  check: Check = 'quick_check',
): Promise<string | undefined> {
  const answer = isSmall(path) ? checkHere(path, check) : await checkApart(path, check, signal);
  if (signal?.aborted) throw new Failure('not_ready', 'Stopped while checking the databases');
  if ('error' in answer) {
    const cause = new Error(answer.details || answer.error);
    throw new Failure('internal', `${path} could not be checked: ${answer.error}`, { cause });
  }
  return answer.healthy ? undefined : answer.problem;
}

function isSmall(path: string): boolean {
  const sizes = [path, `${path}-wal`].map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size) <= SMALL_MAX_BYTES;
}

async function checkApart(path: string, check: Check, signal: AbortSignal | undefined): Promise<CheckAnswer> {
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
  return parseAnswer(output) ?? { error: end, details: errors };
}

function parseAnswer(output: string): CheckAnswer | undefined {
  try {
    return JSON.parse(output) as CheckAnswer;
  } catch {
    return undefined;
  }
}
