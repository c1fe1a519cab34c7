import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredFile } from '../store/store.ts';

/** @returns the folder in which a standby has what it needs of the replica; it exists only where one stands by, or did */
export function mirrorDir(dataDir: string): string {
  return join(dataDir, 'mirror');
}

/** @returns whether a mirror has what the store has under that name: of the same size and the same time, the store's */
export function isMirrored(folder: string, { path, sizeBytes, storedMs }: StoredFile): boolean {
  const found = statSync(join(folder, path), { throwIfNoEntry: false });
  return found?.size === sizeBytes && found.mtimeMs === storedMs;
}
