import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { Replica } from '../../config/replica-url.ts';
import type { HistoryMark } from './mark.ts';

const MOUNTS = '/proc/self/mountinfo';
/** https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
const MOUNT_POINT_FIELD = 4;

/**
 * @param path may not exist yet
 * @returns the mount point of the file system that a path is on; undefined for the root file system, and where unknown
 */
export function mountPointOf(path: string): string | undefined {
  const existing = existingAbove(path);
  const above = mountPoints().filter((point) => existing === point || existing.startsWith(point + sep));
  return above.sort((a, b) => b.length - a.length).at(0);
}

/**
 * While its disk is not mounted, the folder of a replica looks like a new one, and files written there are hidden once
 * the disk is mounted. A replica whose mount point is gone is still the same one when it has a generation that the mark
 * knows: then only the mounts of this machine have changed.
 *
 * @returns why this is not the replica that the mark remembers; undefined when nothing speaks against it
 */
export function unmountedReason(mark: HistoryMark | undefined, replica: Replica): string | undefined {
  const { mountPoint, replicaUrl, databases = {} } = mark ?? {};
  if (replica.type !== 'file' || replicaUrl !== replica.url || mountPoint === undefined) return undefined;
  if (mountPoints().includes(mountPoint)) return undefined;
  const isThere = Object.entries(databases).some(([database, { generations }]) =>
    // For Litestream 0.5 the generation has the name of its folder.
    generations.some((name) =>
      [join('generations', name), name].some((below) => existsSync(join(replica.path, database, below))),
    ),
  );
  if (isThere) return undefined;
  return `${mountPoint}, which it was on, is not mounted`;
}

/** All mount points but the root, which is always there. */
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

/** mountinfo writes a space as `\040`, and so other special characters. */
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
