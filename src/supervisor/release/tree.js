import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

// Plain JavaScript: it runs before a start has chosen its code, and with it the cache of compiled code.

/** More than this is no application but its data, which must not be copied at each start. */
const SIZE_MAX_BYTES = 50 * 1024 * 1024;
const NAMED_MAX = 5;
/** What npm tells of the packages that it has installed, beside them. */
export const LOCK = '.package-lock.json';
const MB = 1024 * 1024;
/** What a project has at its top that no process of the system runs. */
const LEFT_OUT_AT_TOP = new Set(['test', 'loadtest']);
/** What a running system, or its operator's shell, writes beside the code. */
const WRITTEN = /\.(?:log|db|db-wal|db-shm|sqlite3?|pid|sock)$/;
const HASH_CHARACTERS = 16;

/**
 * @typedef {object} TreeFile
 * @property {string} path below the root, with `/`
 * @property {boolean} isExecutable
 * @property {Buffer} [bytes] of a file
 * @property {string} [target] of a symbolic link, absolute
 *
 * @typedef {object} Tree a project's code as it is on the disk now
 * @property {string} root absolute, without symbolic links
 * @property {string} hash names it: the files, what npm has installed, and where that is
 * @property {string} version of its package.json
 * @property {string} lockHash of what npm has installed; empty where npm tells nothing of it
 * @property {string} nodeModules absolute; where its packages are
 * @property {readonly TreeFile[]} files sorted by path
 * @property {readonly string[]} folders below the root, also those in which nothing is copied: a program may list them
 * @property {readonly string[]} packageFolders each `node_modules` below the root, as paths below the root
 */

/**
 * Reads a project's code: package.json's folder without node_modules, dot-files, what is data, test and loadtest.
 *
 * @param {string} folder of package.json; may be a symbolic link
 * @param {readonly string[]} data absolute paths that hold data, not code
 * @returns {Promise<Tree>}
 * @throws {import('../../errors.ts').Failure} release_unusable when it is no project, or too large for one
 */
export async function readTree(folder, data) {
  const root = await realpath(folder).catch(() => undefined);
  if (root === undefined) throw await unusable(`There is no folder ${folder}`);
  const version = await versionOf(root);
  /** @type {{ path: string, isLink: boolean, isExecutable: boolean, sizeBytes: number }[]} */
  const found = [];
  /** @type {string[]} */
  const packageFolders = [];
  /** @type {string[]} */
  const folders = [];
  const isData = new Set(data);
  /** @param {string} below */
  const walk = async (below) => {
    for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.name.startsWith('.') || isData.has(join(root, path))) continue;
      if (below === '' && LEFT_OUT_AT_TOP.has(entry.name)) continue;
      if (entry.name === 'node_modules') packageFolders.push(path);
      else if (entry.isDirectory()) {
        folders.push(path);
        await walk(path);
      } else if ((entry.isFile() || entry.isSymbolicLink()) && !WRITTEN.test(entry.name)) {
        const { size, mode } = await lstat(join(root, path));
        found.push({
          path,
          isLink: entry.isSymbolicLink(),
          isExecutable: (mode & 0o100) !== 0,
          sizeBytes: size,
        });
      }
    }
  };
  await walk('');
  await refuseTooLarge(root, found);
  found.sort((a, b) => (a.path < b.path ? -1 : 1));
  const digest = createHash('sha256');
  /** @type {TreeFile[]} */
  const files = [];
  for (const { path, isLink, isExecutable } of found) {
    const full = join(root, path);
    if (isLink) {
      const target = resolve(dirname(full), await readlink(full));
      digest.update(`${path}\0link\0${target}\0`);
      files.push({ path, isExecutable, target });
      continue;
    }
    const bytes = await readFile(full);
    digest.update(`${path}\0${isExecutable ? 'executable' : 'file'}\0${sha256(bytes)}\0`);
    files.push({ path, isExecutable, bytes });
  }
  const nodeModules = await nodeModulesOf(root);
  const lockHash = await lockHashOf(nodeModules);
  digest.update(`${nodeModules}\0${lockHash}\0`);
  const hash = digest.digest('hex').slice(0, HASH_CHARACTERS);
  return { root, hash, version, lockHash, nodeModules, files, folders, packageFolders };
}

/** @param {Buffer | string} content @returns {string} */
export function sha256(content) {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * @param {string} nodeModules absolute
 * @returns {Promise<string>} names what npm has installed there; empty where npm tells nothing of it
 */
export async function lockHashOf(nodeModules) {
  const lock = await readFile(join(nodeModules, LOCK)).catch(() => undefined);
  return lock === undefined ? '' : sha256(lock);
}

/**
 * Node.js looks for packages in each folder upwards.
 * @param {string} root @returns {Promise<string>}
 */
async function nodeModulesOf(root) {
  for (let folder = root; ; folder = dirname(folder)) {
    const found = await realpath(join(folder, 'node_modules')).catch(() => undefined);
    if (found !== undefined) return found;
    if (folder === dirname(folder)) return join(root, 'node_modules');
  }
}

/** @param {string} root @returns {Promise<string>} */
async function versionOf(root) {
  try {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    return typeof version === 'string' ? version : '0.0.0';
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw await unusable(`${root} is no project: its package.json cannot be read (${reason})`);
  }
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

/** Loaded only when something is wrong. @param {string} message */
async function unusable(message) {
  const { Failure } = await import('../../errors.ts');
  return new Failure('release_unusable', message);
}
