import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

// Plain JavaScript: the code that chooses the release to run uses it, too, before there is a compile cache.

const OWNER_ALONE = 0o700;

/**
 * Makes a folder and its parents. It does not use Node.js's `recursive`, which tries for ever when a folder is missing
 * and cannot be made, as below /proc.
 *
 * @param {string} path absolute
 * @param {number} [mode]
 * @returns {string | undefined} the topmost folder that was made; undefined when the folder existed
 * @throws the error of the file system
 */
export function makeFolder(path, mode = OWNER_ALONE) {
  try {
    mkdirSync(path, { mode });
    return path;
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'EEXIST' && statSync(path).isDirectory()) return undefined;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path) throw error;
    const first = makeFolder(parent, mode);
    mkdirSync(path, { mode });
    return first ?? path;
  }
}

/**
 * @param {string} dataDir
 * @returns {boolean} whether the folder holds a database; false when it cannot be read
 */
export function holdsDatabase(dataDir) {
  try {
    return readdirSync(dataDir).some((name) => name.endsWith('.db'));
  } catch {
    return false;
  }
}

/**
 * @param {string} folder
 * @returns {any} its package.json; a byte order mark is skipped, as by npm and Node.js
 * @throws the error of the file system, or of JSON
 */
export function packageIn(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8').replace(/^\uFEFF/, ''));
}
