import { statfsSync } from 'node:fs';

const MB = 1024 * 1024;

/** @returns what this user may still write on the disk of a folder */
export function freeDiskBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** @returns the same in whole MB, as the settings count them */
export function freeDiskMb(folder: string): number {
  return Math.floor(freeDiskBytes(folder) / MB);
}
