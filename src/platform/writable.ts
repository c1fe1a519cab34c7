import { accessSync, constants } from 'node:fs';

/**
 * @param more what else is needed, as access(2) has it
 * @returns whether this user may write in a folder; not in one that is missing
 */
export function isWritable(folder: string, more = 0): boolean {
  try {
    accessSync(folder, constants.W_OK | more);
    return true;
  } catch {
    return false;
  }
}
