import { statSync } from 'node:fs';
import { freeDiskBytes } from '../../platform/free-disk.ts';

const MB = 1024 * 1024;
const MARGIN = 1.1;
const SPARE_BYTES = 16 * MB;
/** Writes are refused at DISK_RESERVE_MB; a drill stays well away from that. */
const RESERVE_MARGIN = 1.25;

/** @returns how much disk the restore of a database of this size needs: a little more than its size */
export function restoreNeedsBytes(sizeBytes: number): number {
  return sizeBytes * MARGIN + SPARE_BYTES;
}

/** @returns the bytes that a database takes with its WAL */
export function databaseSizeBytes(path: string): number {
  return [path, `${path}-wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

/**
 * @param sizeBytes how much is going to be written
 * @param reserveMb how much has to stay free
 * @returns why there is not enough room, for people; undefined when there is
 */
export function lackOfSpace(folder: string, sizeBytes: number, reserveMb: number): string | undefined {
  const freeBytes = freeDiskBytes(folder);
  const neededBytes = (sizeBytes === 0 ? 0 : restoreNeedsBytes(sizeBytes)) + reserveMb * RESERVE_MARGIN * MB;
  if (freeBytes >= neededBytes) return undefined;
  return `${Math.floor(freeBytes / MB)} MB of disk are free, and ${Math.ceil(neededBytes / MB)} MB are needed, what DISK_RESERVE_MB keeps included`;
}
