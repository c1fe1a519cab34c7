import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredFile } from '../store/store.ts';

/** @returns the folder of a standby's mirror; it exists only where a system is a standby, or was one */
export function mirrorDir(dataDir: string): string {
  return join(dataDir, 'mirror');
}

/** @returns whether a mirror has a file of the store: one of the same name, size and store's time */
export function isMirrored(folder: string, { path, sizeBytes, storedMs }: StoredFile): boolean {
  const found = statSync(join(folder, path), { throwIfNoEntry: false });
  return found?.size === sizeBytes && found.mtimeMs === storedMs;
}
