import { statfsSync } from 'node:fs';

const MB = 1024 * 1024;
const FULL_CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL']);

/** @returns the free space for this user on the disk of a folder */
export function freeDiskBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** @returns the same in whole MB, the unit of the settings */
export function freeDiskMb(folder: string): number {
  return Math.floor(freeDiskBytes(folder) / MB);
}

/** @returns whether an error of the system or of SQLite means that the disk is full */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && FULL_CODES.has(error.code);
}
