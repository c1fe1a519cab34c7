import { statfsSync } from 'node:fs';

const MB = 1024 * 1024;
const FULL_CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL']);

/** @returns what this user may still write on the disk of a folder */
export function freeDiskBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** @returns the same in whole MB, as the settings count them */
export function freeDiskMb(folder: string): number {
  return Math.floor(freeDiskBytes(folder) / MB);
}

/** @returns whether an error is that the disk has no room, as the system or SQLite says it */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && FULL_CODES.has(error.code);
}
