import { accessSync, constants } from 'node:fs';

/**
 * @param more further access that is needed, as for access(2)
 * @returns whether this user may write in a folder; false for a missing folder
 */
export function isWritable(folder: string, more = 0): boolean {
  try {
    accessSync(folder, constants.W_OK | more);
    return true;
  } catch {
    return false;
  }
}
