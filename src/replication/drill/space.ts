import { statSync } from 'node:fs';
import { freeDiskBytes } from '../../platform/free-disk.ts';

const MB = 1024 * 1024;
/** A restored copy needs a little more than the database while it is made. */
const MARGIN = 1.1;
const SPARE_BYTES = 16 * MB;
/** Writes are refused at DISK_RESERVE_MB; a drill keeps well away from that. */
const RESERVE_MARGIN = 1.25;

/** @returns the bytes that a database takes with its WAL */
export function databaseSizeBytes(path: string): number {
  return [path, `${path}-wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

/**
 * @param sizeBytes what is going to be written
 * @param reserveMb what has to stay free
 * @returns why there is no room for it, in words; undefined when there is
 */
export function lackOfSpace(folder: string, sizeBytes: number, reserveMb: number): string | undefined {
  const freeBytes = freeDiskBytes(folder);
  const neededBytes =
    (sizeBytes === 0 ? 0 : sizeBytes * MARGIN + SPARE_BYTES) + reserveMb * RESERVE_MARGIN * MB;
  if (freeBytes >= neededBytes) return undefined;
  return `${Math.floor(freeBytes / MB)} MB of disk are free, and ${Math.ceil(neededBytes / MB)} MB are needed, what DISK_RESERVE_MB keeps included`;
}
