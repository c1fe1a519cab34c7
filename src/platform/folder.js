import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

// Plain JavaScript: what chooses the code that runs needs it too, before there is a cache of compiled code.

const OWNER_ALONE = 0o700;

/**
 * Makes a folder and those above it. Not by `recursive` of Node.js, which tries for ever where the kernel says that a folder
 * is missing that cannot be made, as below /proc.
 *
 * @param {string} path absolute
 * @param {number} [mode]
 * @returns {string | undefined} the topmost that was made; undefined when it was there
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
 * @returns {boolean} whether there is a database; not where that cannot be told
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
 * @returns {any} what its package.json says, which npm and Node.js take with a byte order mark, too
 * @throws the error of the file system, or of JSON
 */
export function packageIn(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8').replace(/^\uFEFF/, ''));
}
