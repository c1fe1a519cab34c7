import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Linux's magic numbers of file systems that are empty after a reboot: tmpfs and ramfs. */
const IN_MEMORY: readonly number[] = [0x01021994, 0x858458f6];

/** @returns whether a folder is in memory and not on a disk; for a missing folder, whether its nearest parent is */
export function isInMemory(path: string): boolean {
  if (!existsSync(path) && dirname(path) !== path) return isInMemory(dirname(path));
  return IN_MEMORY.includes(statfsSync(path).type);
}
