import { copyFileSync, existsSync, linkSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../platform/folder.js';

// Plain JavaScript, as tree.js.

/** @param {string} folder of a copy @returns {string} where its processes keep their compiled code */
export function compileCacheOf(folder) {
  return join(folder, '.cache');
}

/**
 * @param {{ readonly nodeModules: string }} release
 * @returns {string} where compiled code is kept for the next data folder that runs the same code
 */
export function sharedCompileCache({ nodeModules }) {
  return join(nodeModules, '.cache', 'ninelives', 'releases');
}

/**
 * Gives a copy what others have compiled already: each entry names the content that it is of, and what is not the same
 * is compiled anew. Nobody needs it; it saves the first start of a release its time and memory.
 *
 * @param {string} folder of the copy
 * @param {string} from a folder of compiled code
 */
export function seedCompileCache(folder, from) {
  const cache = compileCacheOf(folder);
  if (existsSync(cache) || !existsSync(from)) return;
  addCompiled(from, cache);
}

/**
 * Leaves what a copy has compiled to the next data folder that runs the same code. Packages that were moved away shall find
 * nothing in their place when they are moved back.
 *
 * @param {{ readonly folder: string, readonly nodeModules: string }} release
 */
export function shareCompiled(release) {
  if (existsSync(release.nodeModules))
    addCompiled(compileCacheOf(release.folder), sharedCompileCache(release));
}

/**
 * Adds compiled code to a folder by hard links: Node.js never changes an entry but renames a new one over it, and a copy of
 * its many small files takes longer than a process takes to start. What cannot be linked, as on another file system, is
 * copied, and what cannot be copied either is left out.
 *
 * @param {string} from
 * @param {string} to
 */
export function addCompiled(from, to) {
  try {
    makeFolder(to);
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      if (entry.isDirectory()) addCompiled(source, target);
      else if (entry.isFile()) addEntry(source, target);
    }
  } catch {
    // A full disk, or an installation that belongs to another user: whoever wants that code compiles it.
  }
}

/** @param {string} source @param {string} target */
function addEntry(source, target) {
  const there = lstatSync(target, { throwIfNoEntry: false });
  if (there !== undefined) {
    if (there.ino === lstatSync(source).ino) return;
    rmSync(target);
  }
  try {
    linkSync(source, target);
  } catch {
    copyFileSync(source, target);
  }
}
