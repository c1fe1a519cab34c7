import { spawnSync } from 'node:child_process';

export interface Invocation {
  readonly command: string;
  readonly args: string[];
}

let parentDeathSignalWorks: boolean | undefined;

/**
 * @returns an invocation whose process the kernel kills when the thread that started it ends; unchanged when there is
 *   no `setpriv` that can do that. The process id is that of the command itself.
 */
export function dyingWithParent(command: string, args: string[]): Invocation {
  parentDeathSignalWorks ??= process.platform === 'linux' ? triedSetpriv() : false;
  if (!parentDeathSignalWorks) return { command, args };
  return { command: 'setpriv', args: ['--pdeathsig', 'KILL', '--', command, ...args] };
}

/** @returns whether `setpriv` works; undefined when no process could be started to find out */
function triedSetpriv(): boolean | undefined {
  const { status, error } = spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true'], { stdio: 'ignore' });
  if (!error) return status === 0;
  return (error as NodeJS.ErrnoException).code === 'ENOENT' ? false : undefined;
}
