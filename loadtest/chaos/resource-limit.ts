import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { holdingsOf } from './processes.ts';

/** A user that nobody else is, so that what it may have is what the system may have. */
export const STARVED_UID = 12_345;
/** What a Node.js process or Litestream takes, about. */
const THREADS_OF_A_PROCESS = 12;
const FILES_OF_A_FORK = 4;

/** One thing that a machine may run out of. */
export interface Resource {
  readonly name: string;
  /** Option of prlimit. */
  readonly option: 'nproc' | 'nofile';
  /** As /proc calls it. */
  readonly title: string;
  /** How many there are already, of those that count. */
  readonly taken: (pid: number) => number;
  /** How many less than a successor needs may be free at most, once its predecessor has died. */
  readonly spread: number;
}

export const RESOURCES: readonly Resource[] = [
  {
    name: 'RLIMIT_NPROC',
    option: 'nproc',
    title: 'Max processes',
    taken: () => threadsOf(STARVED_UID) - THREADS_OF_A_PROCESS,
    spread: THREADS_OF_A_PROCESS,
  },
  {
    name: 'RLIMIT_NOFILE',
    option: 'nofile',
    title: 'Max open files',
    taken: (pid) => holdingsOf(pid).openFiles,
    spread: FILES_OF_A_FORK,
  },
];

/** @returns why the limits cannot be put on a process of another user here; undefined when they can */
export function obstacleToLimits(): string | undefined {
  if (process.getuid?.() !== 0)
    return 'root is not bound by RLIMIT_NPROC, and another user takes root to start';
  const { status } = asStarved('prlimit', '--nofile=1000:', 'test', '-x', tmpdir());
  return status === 0
    ? undefined
    : 'setpriv or prlimit is missing, or the temporary folder is closed to others';
}

/** @returns the soft limit as /proc has it, a number or `unlimited` */
export function limitOf(pid: number, { title }: Resource): string {
  const line = readFileSync(`/proc/${pid}/limits`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(title));
  const soft = line?.slice(title.length).trim().split(/\s+/)[0];
  if (soft === undefined) throw new Error(`no ${title} in /proc/${pid}/limits`);
  return soft;
}

/** Sets the soft limit of a running process of the starved user, as that user, which needs no further right. */
export function setLimit(pid: number, { option }: Resource, soft: number | string): void {
  const { status, stderr } = asStarved('prlimit', '--pid', String(pid), `--${option}=${soft}:`);
  if (status !== 0) throw new Error(`cannot set the limit: ${stderr}`);
}

function asStarved(...command: readonly string[]) {
  const user = ['--reuid', String(STARVED_UID), '--regid', String(STARVED_UID), '--clear-groups'];
  return spawnSync('setpriv', [...user, ...command], { encoding: 'utf8' });
}

/** RLIMIT_NPROC counts threads, of all processes of a user. */
function threadsOf(uid: number): number {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .reduce((sum, entry) => {
      try {
        const status = readFileSync(`/proc/${entry}/status`, 'utf8');
        const isOurs = new RegExp(`^Uid:\\s+${uid}\\s`, 'm').test(status);
        return isOurs ? sum + Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]) : sum;
      } catch {
        return sum;
      }
    }, 0);
}
