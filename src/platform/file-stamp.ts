import { statSync } from 'node:fs';

/** @returns what changes when a file is exchanged or written; '' for one that is missing, or closed to this user */
export function fileStamp(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return '';
  }
}
