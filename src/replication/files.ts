import { closeSync, fsyncSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Syncs a file's content, or a folder's entries, to disk. */
export function syncToDisk(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** @returns the size of the files directly in a folder; what cannot be read does not count */
export function folderSizeBytes(folder: string): number {
  try {
    return readdirSync(folder).reduce(
      (sumBytes, name) => sumBytes + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  } catch {
    return 0;
  }
}

/** @returns whether there is a file anywhere in a folder */
export function containsFile(folder: string): boolean {
  return readdirSync(folder, { withFileTypes: true }).some(
    (entry) => !entry.isDirectory() || containsFile(join(folder, entry.name)),
  );
}

/** @returns the system's code of an error, such as `ENOENT`; '' when it has none */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
