import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { readdir, readlink, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { packageIn } from '../../platform/folder.js';
import { EMITTED, PACKAGE, SOURCES } from './modules.js';
import {
  chassisOf,
  localPackages,
  lockHashOf,
  nodeModulesOf,
  packagesBeside,
  packagesIn,
  sha256,
  unusable,
} from './packages.js';

// Plain JavaScript: it runs before a start has chosen its code, and with it the cache of compiled code.

/** A larger folder holds not only an application but its data, which must not be copied at each start. */
const SIZE_MAX_BYTES = 50 * 1024 * 1024;
const NAMED_MAX = 5;
const MB = 1024 * 1024;
/** Folders at the top of the chassis' repository that no process of the system runs. */
const LEFT_OUT_AT_TOP = new Set(['test', 'loadtest']);
/** Files that a running system, or its operator's shell, writes beside the code. */
const WRITTEN = /\.(?:log|db|db-wal|db-shm|sqlite3?|pid|sock)$/;
const HASH_CHARACTERS = 16;
/** Below the root of a copy: Node.js runs TypeScript there, which it does not below node_modules. */
const LOCAL_PACKAGES = '.packages';
/**
 * Small files are read and written synchronously, since the thread pool takes ten times as long. After so many files
 * the other work of the process gets a turn.
 */
export const FILES_A_TURN = 32;

/**
 * @typedef {object} TreeFile
 * @property {string} path below the root, with `/`
 * @property {boolean} isExecutable
 * @property {Buffer} [bytes] of a file
 * @property {string} [target] of a symbolic link: absolute, or relative where the target is copied too
 *
 * @typedef {object} Tree a project's code as it is on the disk now
 * @property {string} root absolute, without symbolic links
 * @property {string} hash identifies the code: the files, what npm has installed, and where that is
 * @property {string} version of its package.json
 * @property {string} lockHash of what npm has installed; empty without npm's list
 * @property {string} nodeModules absolute; where its packages are
 * @property {readonly TreeFile[]} files sorted by path
 * @property {readonly string[]} folders below the root, also those without copied files: a program may list them
 * @property {readonly Link[]} links to what is not copied: the packages
 * @property {string} code the chassis' code below the root
 * @property {string | undefined} app its module below the root; undefined where the chassis' own package.json names it
 *
 * @typedef {object} Link
 * @property {string} path below the root
 * @property {string} target absolute, or relative where the target is copied too
 *
 * @typedef {object} Found
 * @property {string} path below the root
 * @property {string} full
 * @property {boolean} isLink
 * @property {boolean} isExecutable
 * @property {number} sizeBytes
 */

/**
 * Reads a project's code: the folder of package.json without node_modules, dot-files and data. Where the chassis is one
 * of the project's packages, its code belongs to it too. In the chassis' own repository the chassis is part of the
 * folder, and test and loadtest are left out, except for the app's own folder. A package that the app depends on and
 * that npm has not downloaded, such as another workspace, is the project's own code as well.
 *
 * @param {string} folder of package.json; may be a symbolic link
 * @param {readonly string[]} data absolute paths that hold data, not code
 * @param {string} [named] the app's module below the folder, where package.json does not say it
 * @returns {Promise<Tree>}
 * @throws {import('../../platform/errors.ts').Failure} release_unusable when the folder is no project, is too large for
 *   one, or cannot be read by this user; release_changing where something is removed meanwhile
 */
export async function readTree(folder, data, named) {
  return read(folder, data, named).catch(async (error) => {
    const { code, path, message } = /** @type {NodeJS.ErrnoException} */ (error);
    if (path === undefined) throw error;
    if (code === 'EACCES' || code === 'EPERM') {
      throw await unusable(
        `${message}: all of the project's folder is copied. Let this user (id ${process.getuid?.()}) read that, or move it elsewhere`,
      );
    }
    if (code !== 'ENOENT') throw error;
    const { Failure } = await import('../../platform/errors.ts');
    throw new Failure(
      'release_changing',
      `A deploy is under way: ${path} was removed while it was read. Try again when it is done`,
    );
  });
}

/**
 * @param {string} folder
 * @param {readonly string[]} data
 * @param {string} [named]
 * @returns {Promise<Tree>}
 */
async function read(folder, data, named) {
  const root = await realpath(folder).catch(() => undefined);
  if (root === undefined) throw await unusable(`There is no folder ${folder}`);
  const { version, app, dependsOnChassis, appFolder } = await packageOf(root, named);
  const chassis = dependsOnChassis ? await chassisOf(root) : undefined;
  /** @type {Found[]} */
  const found = [];
  /** @type {string[]} */
  const folders = [];
  /** @type {Link[]} */
  const links = [];
  /** @type {Map<string, string>} what is copied: a real folder, and where it is to lie below the root */
  const bases = new Map([[root, '']]);
  const isData = new Set(data);
  await walk({ base: root, below: '' }, (path, name) => {
    if (chassis === undefined && isLeftOut(path, appFolder)) return 'skip';
    return judgeOwn(join(root, path), name);
  });
  const nodeModules = chassis?.nodeModules ?? (await nodeModulesOf(root));
  if (chassis === undefined) {
    if (!links.some(({ path }) => path === 'node_modules'))
      links.push({ path: 'node_modules', target: nodeModules });
  } else {
    const at = links.findIndex(({ path }) => path === 'node_modules');
    if (at !== -1) links.splice(at, 1);
    folders.push('node_modules', chassis.below);
    bases.set(chassis.folder, chassis.below);
    const packages = await packagesBeside(root, chassis.folder);
    for (const [name, base] of await localPackages(root)) {
      let below = copiedPlaceOf(base);
      if (below === undefined) {
        const place = `${LOCAL_PACKAGES}/${name}`;
        below = place;
        bases.set(base, place);
        folders.push(LOCAL_PACKAGES, dirname(place), place);
        await walk({ base, below: place }, (path, name) => judgeOwn(join(base, relative(place, path)), name));
      }
      // Such a package may depend on others of that kind.
      const own = `${below}/node_modules`;
      const linked = links.findIndex(({ path }) => path === own);
      if (linked === -1) continue;
      const [{ target: from = '' } = {}] = links.splice(linked, 1);
      folders.push(own);
      for (const each of await packagesIn(from))
        packages.push({ path: `${own}/${each}`, target: join(from, each) });
    }
    for (const { path, target } of packages) {
      folders.push(dirname(path));
      links.push({ path, target: await targetOf(path, target) });
    }
    await walk({ base: chassis.folder, below: chassis.below }, (path, name) => {
      // Only the authors of an app need types.
      if (path.endsWith('.d.ts') || (name.startsWith('.') && path !== `${chassis.below}/${EMITTED}`))
        return 'skip';
      return name === 'node_modules' ? 'link' : 'take';
    });
  }
  await refuseTooLarge(root, found);
  found.sort((a, b) => (a.path < b.path ? -1 : 1));
  const digest = createHash('sha256');
  /** @type {TreeFile[]} */
  const files = [];
  for (const { path, full, isLink, isExecutable } of found) {
    if (files.length % FILES_A_TURN === 0) await turn();
    if (isLink) {
      const target = await targetOf(path, resolve(dirname(full), await readlink(full)));
      digest.update(`${path}\0link\0${target}\0`);
      files.push({ path, isExecutable, target });
      continue;
    }
    const bytes = readFileSync(full);
    digest.update(`${path}\0${isExecutable ? 'executable' : 'file'}\0${sha256(bytes)}\0`);
    files.push({ path, isExecutable, bytes });
  }
  const lockHash = await lockHashOf(nodeModules);
  digest.update(`${nodeModules}\0${lockHash}\0`);
  if (named !== undefined) digest.update(`${named}\0`);
  const hash = digest.digest('hex').slice(0, HASH_CHARACTERS);
  const code = chassis === undefined ? SOURCES : `${chassis.below}/${EMITTED}`;
  return {
    root,
    hash,
    version,
    lockHash,
    nodeModules,
    files,
    folders: [...new Set(folders)],
    links,
    code,
    app,
  };

  /**
   * Judges an entry of the project's own code.
   * @param {string} full
   * @param {string} name
   */
  function judgeOwn(full, name) {
    if (name.startsWith('.') || isData.has(full) || WRITTEN.test(name)) return 'skip';
    return name === 'node_modules' ? 'link' : 'take';
  }

  /**
   * @param {string} path of a link, below the root
   * @param {string} target absolute
   * @returns {Promise<string>} the target, or its copy: a link into the project would lead out of this release
   */
  async function targetOf(path, target) {
    const real = await realpath(target).catch(() => undefined);
    const place = real === undefined ? undefined : copiedPlaceOf(real);
    return place === undefined ? target : relative(dirname(path), place) || '.';
  }

  /**
   * @param {string} real
   * @returns {string | undefined} its place below the root; undefined where it is not copied
   */
  function copiedPlaceOf(real) {
    for (const [base, below] of bases) {
      if (real !== base && !real.startsWith(`${base}${sep}`)) continue;
      const place = join(below, relative(base, real));
      if (real === base || folders.includes(place) || found.some(({ path }) => path === place)) return place;
    }
    return undefined;
  }

  /**
   * @param {{ base: string, below: string }} place a folder, and where it is to lie below the root
   * @param {(path: string, name: string) => 'take' | 'skip' | 'link'} judge
   */
  async function walk({ base, below }, judge) {
    for (const entry of await readdir(base, { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      const full = join(base, entry.name);
      const judged = judge(path, entry.name);
      if (judged === 'skip') continue;
      if (judged === 'link') links.push({ path, target: await realpath(full).catch(() => full) });
      else if (entry.isDirectory()) {
        folders.push(path);
        await walk({ base: full, below: path }, judge);
      } else if (entry.isFile() || entry.isSymbolicLink()) {
        const { size, mode } = lstatSync(full);
        found.push({
          path,
          full,
          isLink: entry.isSymbolicLink(),
          isExecutable: (mode & 0o100) !== 0,
          sizeBytes: size,
        });
      }
    }
  }
}

/**
 * @param {string} path
 * @param {string} appFolder both below the root; an app may lie among the tests
 */
function isLeftOut(path, appFolder) {
  const [top = ''] = path.split('/');
  return (
    LEFT_OUT_AT_TOP.has(top) && !`${path}/`.startsWith(`${appFolder}/`) && !appFolder.startsWith(`${path}/`)
  );
}

/**
 * @param {string} root
 * @param {string | undefined} named the app's module
 * @returns {Promise<{ version: string, app: string | undefined, dependsOnChassis: boolean, appFolder: string }>}
 */
async function packageOf(root, named) {
  /** @type {{ version?: unknown, ninelives?: { app?: unknown }, dependencies?: object }} */
  let content;
  try {
    content = packageIn(root);
    if (content === null || typeof content !== 'object') throw new Error('it holds no object');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw await unusable(`${root} is no project: its package.json cannot be read (${reason})`);
  }
  const { version, ninelives, dependencies } = content;
  const dependsOnChassis = Object.hasOwn(dependencies ?? {}, PACKAGE);
  const app = named ?? (dependsOnChassis ? ninelives?.app : undefined);
  if (dependsOnChassis && typeof app !== 'string') {
    throw await unusable(
      `package.json in ${root} does not say where its app is: "ninelives": { "app": "app.ts" }`,
    );
  }
  return {
    version: typeof version === 'string' ? version : '0.0.0',
    app: typeof app === 'string' ? app : undefined,
    dependsOnChassis,
    appFolder: dirname(String(named ?? ninelives?.app ?? '')),
  };
}

/**
 * @param {string} root
 * @param {readonly { path: string, sizeBytes: number }[]} files
 */
async function refuseTooLarge(root, files) {
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (totalBytes <= SIZE_MAX_BYTES) return;
  const largest = [...files].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, NAMED_MAX);
  const named = largest.map(({ path, sizeBytes }) => `${path} (${showMb(sizeBytes)})`).join(', ');
  throw await unusable(
    `The code in ${root} is ${showMb(totalBytes)}, and each release is copied, which may be ${showMb(SIZE_MAX_BYTES)}. ` +
      `The largest files: ${named}. Keep data and media outside of the project's folder, below DATA_DIR or elsewhere.`,
  );
}

/** @param {number} bytes */
function showMb(bytes) {
  return `${(bytes / MB).toFixed(1)} MB`;
}
