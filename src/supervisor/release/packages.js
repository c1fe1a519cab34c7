import { createHash } from 'node:crypto';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packageIn } from '../../platform/folder.js';
import { EMITTED, PACKAGE } from './modules.js';

// Plain JavaScript, as tree.js.

/** npm's list of the packages that it has installed, which lies beside them. */
export const LOCK = '.package-lock.json';

/** @param {Buffer | string} content @returns {string} */
export function sha256(content) {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * @param {string} nodeModules absolute
 * @returns {Promise<string>} identifies what npm has installed there; empty without npm's list. The chassis does not
 *   count: a release has a copy of it
 */
export async function lockHashOf(nodeModules) {
  const lock = await readFile(join(nodeModules, LOCK), 'utf8').catch(() => undefined);
  if (lock === undefined) return '';
  const own = `node_modules/${PACKAGE}`;
  if (!lock.includes(`"${own}"`)) return sha256(lock);
  try {
    const { packages } = JSON.parse(lock);
    delete packages[own];
    return sha256(JSON.stringify(packages));
  } catch {
    return sha256(lock);
  }
}

/**
 * Node.js looks for packages in each folder upwards.
 * @param {string} root
 * @returns {Promise<string>}
 */
export async function nodeModulesOf(root) {
  const [nearest] = await allNodeModules(root);
  return nearest ?? join(root, 'node_modules');
}

/**
 * @param {string} root
 * @returns {Promise<string[]>} real paths, the nearest first
 */
async function allNodeModules(root) {
  /** @type {string[]} */
  const all = [];
  for (let folder = root; ; folder = dirname(folder)) {
    const there = await realpath(join(folder, 'node_modules')).catch(() => undefined);
    if (there !== undefined) all.push(there);
    if (folder === dirname(folder)) return all;
  }
}

/**
 * @param {string} root
 * @returns {Promise<{ folder: string, below: string, nodeModules: string }>} the chassis that the project's app imports
 */
export async function chassisOf(root) {
  for (const nodeModules of await allNodeModules(root)) {
    const folder = await realpath(join(nodeModules, PACKAGE)).catch(() => undefined);
    if (folder === undefined) continue;
    const isPackage =
      /[\\/]node_modules[\\/]/.test(folder) && (await realpath(join(folder, EMITTED)).catch(() => undefined));
    if (!isPackage) {
      throw await unusable(
        `${join(nodeModules, PACKAGE)} is not the package of ${PACKAGE} but its sources: run npm pack there, and install that`,
      );
    }
    return { folder, below: `node_modules/${PACKAGE}`, nodeModules };
  }
  throw await unusable(`${PACKAGE} is not installed in ${root}: run npm install there`);
}

/**
 * @param {string} root
 * @param {string} chassis its real folder
 * @returns {Promise<import('./tree.js').Link[]>} one for each package that the app or the chassis finds, the nearest
 *   one of each name
 */
export async function packagesBeside(root, chassis) {
  /** @type {Map<string, import('./tree.js').Link>} */
  const links = new Map();
  for (const folder of [...(await allNodeModules(root)), dirname(chassis)]) {
    for (const name of await packagesIn(folder)) {
      const path = `node_modules/${name}`;
      if (name === PACKAGE || links.has(path)) continue;
      links.set(path, { path, target: join(folder, name) });
    }
  }
  return [...links.values()];
}

/**
 * @param {string} folder
 * @returns {Promise<string[]>} names, also of packages with a scope; those of one scope may lie in several folders
 */
export async function packagesIn(folder) {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'));
  const all = names.map(async (name) =>
    name.startsWith('@') ? (await readdir(join(folder, name))).map((each) => `${name}/${each}`) : [name],
  );
  return (await Promise.all(all)).flat();
}

/**
 * @param {string} root
 * @returns {Promise<Map<string, string>>} by name, the real folder of each package that npm has linked instead of
 *   downloading, of those that the app needs, directly or through such a package
 */
export async function localPackages(root) {
  /** @type {Map<string, string>} */
  const local = new Map();
  const owners = [root];
  for (const owner of owners) {
    const places = await allNodeModules(owner);
    for (const name of dependenciesOf(owner)) {
      const folder = local.has(name) ? undefined : await packageFrom(places, name);
      if (folder === undefined || folder === root || /[\\/]node_modules[\\/]/.test(folder)) continue;
      local.set(name, folder);
      owners.push(folder);
    }
  }
  return local;
}

/**
 * @param {readonly string[]} places folders of packages
 * @param {string} name
 * @returns {Promise<string | undefined>} the real folder of the first package with that name
 */
async function packageFrom(places, name) {
  for (const place of places) {
    const folder = await realpath(join(place, name)).catch(() => undefined);
    if (folder !== undefined) return folder;
  }
  return undefined;
}

/** @param {string} folder of a package @returns {string[]} names; none where package.json cannot be read */
function dependenciesOf(folder) {
  try {
    const { dependencies, optionalDependencies } = packageIn(folder);
    return Object.keys({ ...dependencies, ...optionalDependencies });
  } catch {
    return [];
  }
}

/** Imports the error only when something is wrong. @param {string} message */
export async function unusable(message) {
  const { Failure } = await import('../../platform/errors.ts');
  return new Failure('release_unusable', message);
}
