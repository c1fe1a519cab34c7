import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Replica } from '../config/replica-url.ts';

/**
 * @param dataDir absolute
 * @returns whether the replica is lost when the data's disk is: a file replica on the same file system. What cannot
 *   be looked at counts as not the same.
 */
export function isSameDisk(dataDir: string, replica: Replica): boolean {
  if (replica.type !== 'file') return false;
  const data = deviceOf(dataDir);
  return data !== undefined && data === deviceOf(replica.path);
}

/** Of the folder, or while it does not exist, of the one that it will be made in. */
function deviceOf(path: string): number | undefined {
  try {
    return statSync(path).dev;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return missing && dirname(path) !== path ? deviceOf(dirname(path)) : undefined;
  }
}
