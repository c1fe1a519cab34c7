import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, open, readdir, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { makeFolder } from '../../platform/folder.js';
import { ownNodeOf } from '../../platform/own-node.js';
import { compileCacheOf } from './compile-cache.js';
import { SOURCES } from './modules.js';
import { LOCK, lockHashOf, sha256 } from './packages.js';
import { FILES_A_TURN, readTree } from './tree.js';

// Plain JavaScript, as tree.js.

const MANIFEST = '.release.json';
const TEMPORARY = '.tmp-';
const SYNC_AT_ONCE = 16;

/**
 * @typedef {object} Manifest what is known of a release; it lies in the copy
 * @property {string} hash
 * @property {string} version
 * @property {string} root the folder that it was copied from
 * @property {string} nodeModules absolute, where its packages are
 * @property {string} lockHash of what npm had installed there; identifies the packages
 * @property {string} nodePath the Node.js that its processes run, absolute
 * @property {string} code the chassis' code below its folder
 * @property {string} [app] its module below its folder; left out where the chassis' own package.json names it
 * @property {Readonly<Record<string, string>>} files the SHA-256 of each file by its path
 *
 * @typedef {Manifest & { readonly folder: string }} StoredRelease a release and the folder of its copy
 */

/** @param {string} dataDir @returns {string} the folder that holds the copies of releases */
export function releasesFolder(dataDir) {
  return join(dataDir, 'run', 'releases');
}

/**
 * Copies the code of a project, so that the code on the disk may change while the copy runs. The copy is made under
 * another name and then renamed, so that it is there as a whole or not at all.
 *
 * @param {string} folder of package.json; may be a symbolic link
 * @param {string} store `releasesFolder`
 * @param {readonly string[]} data absolute paths that hold data, not code
 * @param {object} [options]
 * @param {import('./tree.js').Tree | undefined} [options.known] the code, if it was read just now
 * @param {string | undefined} [options.app] its module below the folder, where package.json does not say it
 * @returns {Promise<StoredRelease>} the new copy, or the one that was there already
 * @throws {import('../../platform/errors.ts').Failure} release_unusable when the folder is no project, release_changing
 *   when a deploy is under way; or the error of the disk
 */
export async function storeRelease(folder, store, data, { known, app } = {}) {
  const tree = known ?? (await readTree(folder, data, app));
  const stored = await findRelease(store, tree.hash);
  if (stored) return stored;
  makeFolder(store);
  const temporary = join(store, `${TEMPORARY}${tree.hash}-${randomBytes(4).toString('hex')}`);
  try {
    await writeCopy(tree, temporary);
    const again = await readTree(folder, data, app);
    if (again.hash !== tree.hash) {
      const { Failure } = await import('../../platform/errors.ts');
      throw new Failure(
        'release_changing',
        `A deploy is under way in ${tree.root}: ${describeChange(tree, again)} changed while it was copied. Try again when it is done`,
      );
    }
    const target = join(store, tree.hash);
    await rename(temporary, target).catch(async () => {
      // A start at the same time has made that copy, and may run from it. A copy that is not whole is not used.
      if (await findRelease(store, tree.hash)) return;
      await rm(target, { recursive: true, force: true });
      await rename(temporary, target);
    });
    await rm(temporary, { recursive: true, force: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
  const found = await findRelease(store, tree.hash);
  if (!found) throw new Error(`the copy of ${tree.root} is not as it was written`);
  return found;
}

/**
 * @param {string} store
 * @param {string} hash
 * @returns {Promise<StoredRelease | undefined>} undefined when there is no copy, or it is not whole
 */
export async function findRelease(store, hash) {
  const folder = join(store, hash);
  try {
    /** @type {Manifest} */
    const manifest = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8'));
    if (manifest.hash !== hash) return undefined;
    for (const [path, expected] of Object.entries(manifest.files)) {
      if (sha256(readFileSync(join(folder, path))) !== expected) return undefined;
    }
    // A copy from before the chassis was a package has the repository's layout.
    return { ...manifest, code: manifest.code ?? SOURCES, folder };
  } catch {
    return undefined;
  }
}

/**
 * @param {Manifest} release
 * @returns {Promise<string | undefined>} why its processes could not load their packages; undefined when they can
 */
export async function packagesProblem({ nodeModules, lockHash, nodePath }) {
  const there = await realpath(nodeModules).catch(() => undefined);
  if (there === undefined) return `its packages are gone: bring back ${nodeModules}`;
  if ((await lockHashOf(nodeModules)) !== lockHash) {
    return `${nodeModules} holds other packages than it was made with: bring back those (npm ci with its package-lock.json)`;
  }
  if ((await realpath(nodePath).catch(() => undefined)) === undefined)
    return `its Node.js is gone: bring back ${nodePath}`;
  return undefined;
}

/**
 * Syncs a copy to the disk; before that a loss of power may take it.
 * @param {string} folder of the copy
 */
export async function syncRelease(folder) {
  const paths = await readdir(folder, { recursive: true, withFileTypes: true });
  const wanted = paths.filter(
    (entry) => entry.isFile() && !entry.parentPath.startsWith(compileCacheOf(folder)),
  );
  const folders = [...new Set([folder, dirname(folder), ...wanted.map(({ parentPath }) => parentPath)])];
  const all = [...wanted.map(({ parentPath, name }) => join(parentPath, name)), ...folders];
  for (let at = 0; at < all.length; at += SYNC_AT_ONCE) {
    await Promise.all(
      all.slice(at, at + SYNC_AT_ONCE).map(async (path) => {
        const handle = await open(path, 'r');
        await handle.sync().finally(() => handle.close());
      }),
    );
  }
}

/**
 * @param {Pick<Manifest, 'files'>} release
 * @returns {boolean} false for a release that runs from the project's folder itself
 */
export function isCopy({ files }) {
  return Object.keys(files).length > 0;
}

/**
 * Removes the copies of releases that are not needed any more.
 * @param {string} store
 * @param {ReadonlySet<string>} kept hashes
 */
export async function pruneReleases(store, kept) {
  const names = await readdir(store, { withFileTypes: true }).catch(() => []);
  for (const entry of names) {
    if (!entry.isDirectory() || kept.has(entry.name)) continue;
    await rm(join(store, entry.name), { recursive: true, force: true });
  }
}

/**
 * @param {string} path
 * @returns {string | undefined} undefined where it cannot be read
 */
function hashOf(path) {
  try {
    return sha256(readFileSync(path));
  } catch {
    return undefined;
  }
}

/**
 * Makes a check whether the files of a copy are unchanged, cheap enough for each fork: by the metadata of each file,
 * and by its content only where the metadata has changed.
 * @param {StoredRelease} release
 * @returns {() => string | undefined} the path of a file that is gone or changed; undefined when there is none
 */
export function watchRelease({ folder, files }) {
  const paths = Object.keys(files);
  const seen = new Map(paths.map((path) => [path, stampOf(join(folder, path))]));
  return () =>
    paths.find((path) => {
      const full = join(folder, path);
      const stamp = stampOf(full);
      if (stamp === seen.get(path)) return false;
      if (stamp === undefined || hashOf(full) !== files[path]) return true;
      // A chown, or a restored backup, has changed the metadata but no code.
      seen.set(path, stamp);
      return false;
    });
}

/**
 * @param {Pick<Manifest, 'nodeModules' | 'lockHash'>} release
 * @returns {boolean} whether its packages are complete: npm writes its list of them last
 */
export function hasPackages({ nodeModules, lockHash }) {
  return lockHash === '' || existsSync(join(nodeModules, LOCK));
}

/** @param {string} path */
function stampOf(path) {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat && `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.mode}`;
}

/**
 * @param {import('./tree.js').Tree} tree
 * @param {string} folder
 */
async function writeCopy(tree, folder) {
  await mkdir(folder, { mode: 0o700 });
  for (const path of tree.folders) mkdirSync(join(folder, path), { mode: 0o700 });
  /** @type {Record<string, string>} */
  const hashes = {};
  for (const [index, { path, bytes, target, isExecutable }] of tree.files.entries()) {
    if (index % FILES_A_TURN === 0) await turn();
    const full = join(folder, path);
    if (bytes === undefined) {
      await symlink(/** @type {string} */ (target), full);
      continue;
    }
    writeFileSync(full, bytes, { mode: isExecutable ? 0o500 : 0o400, flag: 'wx' });
    // The umask of this process would make the mode wider or narrower.
    chmodSync(full, isExecutable ? 0o500 : 0o400);
    hashes[path] = sha256(bytes);
  }
  for (const { path, target } of tree.links) await symlink(target, join(folder, path));
  const manifest = await manifestOf(tree, hashes);
  await writeFile(join(folder, MANIFEST), JSON.stringify(manifest), { mode: 0o400 });
}

/**
 * @param {import('./tree.js').Tree} tree
 * @param {Manifest['files']} files of its copy; empty where there is no copy
 * @returns {Promise<Manifest>}
 */
export async function manifestOf({ hash, version, root, nodeModules, lockHash, code, app }, files) {
  const nodePath = await nodePathOf(nodeModules, join(root, dirname(code)));
  return {
    hash,
    version,
    root,
    nodeModules,
    lockHash,
    nodePath,
    code,
    ...(app !== undefined && { app }),
    files,
  };
}

/**
 * The Node.js that npm has installed belongs to the release, like the other packages; any other Node.js to the machine.
 * @param {string} nodeModules
 * @param {string} chassis its folder
 * @returns {Promise<string>}
 */
async function nodePathOf(nodeModules, chassis) {
  if (!process.execPath.includes(`${sep}node_modules${sep}`)) return process.execPath;
  const own = ownNodeOf(dirname(nodeModules)) ?? ownNodeOf(chassis);
  return (own && (await realpath(own).catch(() => undefined))) ?? process.execPath;
}

/**
 * @param {import('./tree.js').Tree} before
 * @param {import('./tree.js').Tree} after
 */
function describeChange(before, after) {
  /** @param {import('./tree.js').Tree} tree */
  const contents = (tree) =>
    new Map(
      tree.files.map(({ path, bytes, target }) => [path, bytes === undefined ? target : sha256(bytes)]),
    );
  const [old, now] = [contents(before), contents(after)];
  const changed = [...new Set([...old.keys(), ...now.keys()])].find(
    (path) => old.get(path) !== now.get(path),
  );
  return changed ?? 'node_modules';
}
