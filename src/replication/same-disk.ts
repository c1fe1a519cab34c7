import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Replica } from '../config/replica-url.ts';

/**
 * @param dataDir absolute
 * @returns whether the replica is lost with the data's disk: a `file:` replica on the same file system. False where
 *   that cannot be found out.
 */
export function isSameDisk(dataDir: string, replica: Replica): boolean {
  if (replica.type !== 'file') return false;
  const data = deviceOf(dataDir);
  return data !== undefined && data === deviceOf(replica.path);
}

/** @returns the device of a folder, or while that does not exist, of the nearest folder above it */
function deviceOf(path: string): number | undefined {
  try {
    return statSync(path).dev;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return missing && dirname(path) !== path ? deviceOf(dirname(path)) : undefined;
  }
}
