import { type ExecFileException, execFile } from 'node:child_process';
import { Failure } from '../../platform/errors.ts';
import { killedBy } from '../limits.ts';
import { compileCacheOf } from './compile-cache.js';
import { appVariables, type Chassis, moduleIn } from './modules.js';
import { nameOf } from './name-of.ts';
import type { StoredRelease } from './store.js';
import { whatBroke } from './what-broke.ts';

const FOLDER = 'supervisor/release';
const ANSWER_MAX_BYTES = 1024 * 1024;
/** Exit code of Node.js where nothing is left to do and a module still awaits. */
const UNSETTLED_AWAIT_CODE = 13;
const TOO_MUCH_CODE = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';

export interface AskOptions {
  readonly args: readonly string[];
  /** The only way to give the script secrets. */
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
}

/**
 * Runs a script of a release to its end, in a process of its own.
 * @param script its name, beside this file
 * @returns the last line of its output, which is JSON; the app's code may have printed anything before it
 * @throws Failure release_unusable when the code cannot be loaded, not_ready when the process could not be started or
 *   was killed
 */
export async function askRelease(
  release: StoredRelease,
  script: string,
  { args, env, timeoutMs }: AskOptions,
): Promise<unknown> {
  const own = {
    NODE_COMPILE_CACHE: compileCacheOf(release.folder),
    NODE_COMPILE_CACHE_PORTABLE: '1',
    ...appVariables(release),
  };
  try {
    return await askCode(release, script, { args, env: { ...env, ...own }, timeoutMs });
  } catch (error) {
    const code = error instanceof Failure ? error.code : 'release_unusable';
    throw new Failure(code, `Release ${nameOf(release)} cannot be loaded: ${(error as Error).message}`);
  }
}

/**
 * Runs a script of code that is no release; `env` says where its app is.
 * @throws Error why the code cannot be loaded; a Failure not_ready where the code is not to blame
 */
export async function askCode(
  code: Chassis & Pick<StoredRelease, 'nodePath'>,
  script: string,
  { args, env, timeoutMs }: AskOptions,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const refuse = (reason: string) => reject(new Error(reason));
    const options = {
      cwd: code.folder,
      env,
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: ANSWER_MAX_BYTES,
    };
    const words = [moduleIn(code, `${FOLDER}/${script}`), ...args];
    execFile(code.nodePath, words, options, (error, stdout, stderr) => {
      if (error?.code === TOO_MUCH_CODE) refuse(`it prints more than ${ANSWER_MAX_BYTES} bytes meanwhile`);
      else if (error?.killed) refuse(`it did not answer within ${timeoutMs} ms`);
      else if (error?.code === UNSETTLED_AWAIT_CODE)
        refuse('a module awaits at its top level what never comes');
      else if (error) {
        const cause = outsideCause(error);
        if (cause !== undefined) reject(new Failure('not_ready', cause));
        else refuse(whatBroke(stderr, code.folder) || error.message);
      } else {
        const answer = parsed(stdout.trimEnd().split('\n').at(-1) ?? '');
        if (answer !== undefined) resolve(answer);
        else refuse('it ended before it told what it is; does its code call process.exit?');
      }
    });
  });
}

/** @returns how somebody or the machine has ended the process; undefined where its code did */
function outsideCause({ code, signal: by, message }: ExecFileException): string | undefined {
  // The spawn has failed.
  if (typeof code === 'string') return message;
  const { cause, isOutside } = killedBy(by ?? null, true);
  return isOutside ? `it was ${cause}` : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
