import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** What Linux calls file systems that have nothing any more after a reboot: tmpfs and ramfs. */
const IN_MEMORY: readonly number[] = [0x01021994, 0x858458f6];

/** @returns whether a folder, or while it does not exist the one that it will be made in, is in memory and not on a disk */
export function isInMemory(path: string): boolean {
  if (!existsSync(path) && dirname(path) !== path) return isInMemory(dirname(path));
  return IN_MEMORY.includes(statfsSync(path).type);
}
