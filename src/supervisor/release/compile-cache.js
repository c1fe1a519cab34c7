import { copyFileSync, existsSync, linkSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../platform/folder.js';

// Plain JavaScript, as tree.js.

/** @param {string} folder of a copy @returns {string} where the processes of the copy keep their compiled code */
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
 * Gives a copy the code that others have compiled already. Each entry names the content that it was made from; what is
 * not the same is compiled anew. Not needed, but it saves the first start of a release time and memory.
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
 * Leaves what a copy has compiled to the next data folder that runs the same code. Packages that were moved away get no
 * new folder: it would be in their way when they are moved back.
 *
 * @param {{ readonly folder: string, readonly nodeModules: string }} release
 */
export function shareCompiled(release) {
  if (existsSync(release.nodeModules))
    addCompiled(compileCacheOf(release.folder), sharedCompileCache(release));
}

/**
 * Adds compiled code to a folder by hard links: Node.js never changes an entry but renames a new one over it, and to
 * copy the many small files takes longer than to start a process. Where a link is not possible, as on another file
 * system, the entry is copied; where that is not possible either, it is left out.
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
    // A full disk, or an installation that belongs to another user: the next process compiles that code itself.
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
