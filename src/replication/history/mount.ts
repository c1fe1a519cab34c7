import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { Replica } from '../../config/replica-url.ts';
import type { HistoryMark } from './mark.ts';

const MOUNTS = '/proc/self/mountinfo';
/** https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
const MOUNT_POINT_FIELD = 4;

/**
 * @param path may not exist yet
 * @returns where the file system is mounted that a path is on; undefined for the root's, and where nothing tells
 */
export function mountPointOf(path: string): string | undefined {
  const existing = existingAbove(path);
  const above = mountPoints().filter((point) => existing === point || existing.startsWith(point + sep));
  return above.sort((a, b) => b.length - a.length).at(0);
}

/**
 * A folder on a disk that is not mounted looks like a new replica, and what is written there is below the disk once that
 * is mounted. Where a replica was below a mount point that is none now, it is there all the same when it has what is
 * remembered of it: then only the mounts of this machine are other ones.
 *
 * @returns why a replica is not the one that is remembered; undefined when nothing says so
 */
export function unmountedReason(mark: HistoryMark | undefined, replica: Replica): string | undefined {
  const { mountPoint, replicaUrl, databases = {} } = mark ?? {};
  if (replica.type !== 'file' || replicaUrl !== replica.url || mountPoint === undefined) return undefined;
  if (mountPoints().includes(mountPoint)) return undefined;
  const isThere = Object.entries(databases).some(([database, { generations }]) =>
    // That of Litestream 0.5 is named as its folder is.
    generations.some((name) =>
      [join('generations', name), name].some((below) => existsSync(join(replica.path, database, below))),
    ),
  );
  if (isThere) return undefined;
  return `${mountPoint}, which it was on, is not mounted`;
}

/** Without that of the root, which is always there. */
function mountPoints(): string[] {
  try {
    return readFileSync(MOUNTS, 'utf8')
      .split('\n')
      .map((line) => unescaped(line.split(' ')[MOUNT_POINT_FIELD] ?? ''))
      .filter((point) => point !== '' && point !== '/');
  } catch {
    return [];
  }
}

/** Spaces and the like are there as `\040`. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function existingAbove(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : existingAbove(dirname(path));
  }
}
