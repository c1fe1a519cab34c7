import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { holdingsOf } from '../../src/testing/chaos/processes.ts';
import type { Random } from '../../src/testing/chaos/random.ts';

/** A user that runs nothing else, so a limit of the user is a limit of the system. */
export const STARVED_UID = 12_345;
/** Approximate threads of a Node.js process or Litestream. */
const THREADS_OF_A_PROCESS = 12;
const FILES_OF_A_FORK = 4;
const LOOKS = 10;
const LOOK_INTERVAL_MS = 10;

/** A resource that a machine may run out of. */
export interface Resource {
  readonly name: string;
  /** Option of prlimit. */
  readonly option: 'nproc' | 'nofile';
  /** Its name in /proc. */
  readonly title: string;
  /** @returns a limit that admits nothing new. @param pid of the limited process */
  readonly exhausted: (pid: number) => Promise<number>;
  /** @returns a limit that just admits, or just does not admit, the successor of a dead process */
  readonly atEdge: (pid: number, random: Random) => number;
}

export const RESOURCES: readonly Resource[] = [
  {
    name: 'RLIMIT_NPROC',
    option: 'nproc',
    title: 'Max processes',
    exhausted: async () => 1,
    // The limit counts threads; a process that dies frees its own.
    atEdge: (_, random) =>
      threadsOf(STARVED_UID) - THREADS_OF_A_PROCESS + random.below(2 * THREADS_OF_A_PROCESS),
  },
  {
    name: 'RLIMIT_NOFILE',
    option: 'nofile',
    title: 'Max open files',
    exhausted: lastingFilesOf,
    atEdge: (pid, random) => holdingsOf(pid).openFiles + random.below(2 * FILES_OF_A_FORK),
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

/** @returns the soft limit as /proc writes it: a number or `unlimited` */
export function limitOf(pid: number, { title }: Resource): string {
  const line = readFileSync(`/proc/${pid}/limits`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(title));
  const soft = line?.slice(title.length).trim().split(/\s+/)[0];
  if (soft === undefined) throw new Error(`no ${title} in /proc/${pid}/limits`);
  return soft;
}

/** Sets the soft limit of a running process of the starved user. Run as that user, it needs no further right. */
export function setLimit(pid: number, { option }: Resource, soft: number | string): void {
  const { status, stderr } = asStarved('prlimit', '--pid', String(pid), `--${option}=${soft}:`);
  if (status !== 0) throw new Error(`cannot set the limit: ${stderr}`);
}

function asStarved(...command: readonly string[]) {
  const user = ['--reuid', String(STARVED_UID), '--regid', String(STARVED_UID), '--clear-groups'];
  return spawnSync('setpriv', [...user, ...command], { encoding: 'utf8' });
}

/** @returns how many files a process keeps open, without the connections that it is handing over */
async function lastingFilesOf(pid: number): Promise<number> {
  let least = holdingsOf(pid).openFiles;
  for (let look = 0; look < LOOKS; look += 1) {
    await delay(LOOK_INTERVAL_MS);
    least = Math.min(least, holdingsOf(pid).openFiles);
  }
  return least;
}

/** @returns the number of threads of all processes of a user */
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
