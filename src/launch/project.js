// Plain JavaScript, as launch.js.
import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { packageIn } from '../platform/folder.js';
import { PACKAGE } from '../supervisor/release/modules.js';
import { failure } from './failure.js';

/** The kernel's own limit. */
const LINKS_MAX = 40;
const PROGRAM = join('src', 'bin.js');
const PACKAGES = '/node_modules/';

/**
 * @typedef {object} Project the project that a command concerns
 * @property {string} root its folder as it was named: it may be a symbolic link, which the next deploy moves
 * @property {string} real its folder without links
 * @property {string | undefined} app module below that folder; undefined where the chassis' own package.json names it
 * @property {string} chassis the real folder of the chassis that its app imports
 * @property {string} program runs its commands; a path that lives as long as the root's
 *
 * @typedef {object} Call
 * @property {string} own the real folder of the chassis that was called
 * @property {boolean} isPackage whether that chassis is an npm package; otherwise it is the repository
 * @property {string} cwd
 * @property {string | undefined} named the app's module, as `--app` names it
 */

/**
 * @param {Call} call
 * @returns {Project | undefined} undefined where there is no project
 * @throws {Error} with an exit code, where there is a project that cannot be used
 */
export function findProject({ own, isPackage, cwd, named }) {
  const invoked = resolve(cwd, process.argv[1] ?? '');
  const paths = [...linksFrom(invoked), viaShell(cwd, invoked)];
  const app = named === undefined ? undefined : resolve(cwd, named);
  if (!isPackage) {
    refuseLinkToSources(own, paths, cwd);
    const root = rootAsInvoked(own, paths);
    return { root, real: own, app: app && below(own, app), chassis: own, program: join(root, PROGRAM) };
  }
  const { PWD = '', npm_package_json = '' } = process.env;
  const places =
    app === undefined
      ? [
          ...paths.flatMap(ownerOf),
          ...(npm_package_json === '' ? [] : [dirname(npm_package_json)]),
          ...(realOf(PWD) === cwd ? upwards(PWD) : []),
          ...upwards(cwd),
        ]
      : upwards(dirname(app));
  const root = places.find((folder) => (app === undefined ? appIn(folder) : contentOf(folder)) !== undefined);
  const real = root === undefined ? undefined : realOf(root);
  if (root === undefined || real === undefined) return undefined;
  const asNamed = [...places, PWD].find((folder) => folder !== real && realOf(folder) === real) ?? real;
  const chassis = chassisOf(real);
  const beside = join(asNamed, 'node_modules', PACKAGE);
  return {
    root: asNamed,
    real,
    app: app === undefined ? appIn(real) : below(real, realOf(app) ?? app),
    chassis,
    program: join(realOf(beside) === chassis ? beside : chassis, PROGRAM),
  };
}

/**
 * The project's folder as it was named: by the path of the program, by a link to it, or by the shell's working
 * directory, of which the kernel knows only the path without links.
 * @param {string} own
 * @param {readonly string[]} paths of the program
 */
function rootAsInvoked(own, paths) {
  const named = paths.filter((path) => path.endsWith(PROGRAM)).map((path) => dirname(dirname(path)));
  // npm and npx start a link of their own, and tell in the environment where they were run.
  const viaNpm = [process.env.PWD ?? '', dirname(process.env.npm_package_json ?? '')];
  for (const folder of [...named, ...viaNpm]) {
    const isOfNpm = basename(dirname(folder)) === 'node_modules';
    if (isAbsolute(folder) && folder !== own && !isOfNpm && realOf(folder) === own) return folder;
  }
  return own;
}

/**
 * Refuses a project that links to the chassis' sources: these would run their own app in place of the project's. The
 * folder that npx makes for itself depends on them too, and is no project: it names no app, and nobody works in it.
 * @param {string} own
 * @param {readonly string[]} paths
 * @param {string} cwd
 */
function refuseLinkToSources(own, paths, cwd) {
  for (const path of paths) {
    const [folder] = ownerOf(path);
    if (folder === undefined || realOf(folder) === own || !dependsOnChassis(folder)) continue;
    if (appIn(folder) === undefined && !upwards(cwd).includes(realOf(folder) ?? folder)) continue;
    throw failure(
      `${PACKAGE} in ${folder} is a link to its sources in ${own}, which run their own app alone: run npm pack there, and install that`,
    );
  }
}

/**
 * @param {string} project
 * @returns {string} the real folder of the chassis that Node.js finds from there
 */
function chassisOf(project) {
  for (const folder of upwards(project)) {
    const chassis = realOf(join(folder, 'node_modules', PACKAGE));
    if (chassis !== undefined) return chassis;
  }
  throw failure(`${PACKAGE} is not installed in ${project}: run npm install there`);
}

/** @param {string} folder @returns {string | undefined} the app's module as package.json there names it */
function appIn(folder) {
  const app = contentOf(folder)?.ninelives?.app;
  return typeof app === 'string' && dependsOnChassis(folder) ? app : undefined;
}

/** @param {string} folder */
function dependsOnChassis(folder) {
  return Object.hasOwn(contentOf(folder)?.dependencies ?? {}, PACKAGE);
}

/**
 * @param {string} folder
 * @returns {{ ninelives?: { app?: unknown }, dependencies?: object } | undefined}
 */
function contentOf(folder) {
  try {
    return packageIn(folder);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} folder
 * @param {string} path
 * @returns {string}
 */
function below(folder, path) {
  const found = relative(folder, realOf(path) ?? path);
  if (found === '' || found.startsWith('..'))
    throw failure(`--app names ${path}, which is not in the project in ${folder}`);
  if (!lstatSync(path, { throwIfNoEntry: false }))
    throw failure(`--app names ${path}, and there is no such file`);
  return found;
}

/** @param {string} folder @returns {string[]} the folder, and each one above it */
function upwards(folder) {
  const all = [folder];
  for (let at = folder; dirname(at) !== at; all.push(at)) at = dirname(at);
  return all;
}

/**
 * @param {string} path
 * @returns {string[]} the folder whose node_modules has the path; none where the path is not in a package
 */
function ownerOf(path) {
  const at = path.lastIndexOf(PACKAGES);
  return at > 0 ? [path.slice(0, at)] : [];
}

/**
 * @param {string} cwd
 * @param {string} invoked
 */
function viaShell(cwd, invoked) {
  const { PWD } = process.env;
  const path = relative(cwd, invoked);
  return PWD && realOf(PWD) === cwd && !path.startsWith('..') ? resolve(PWD, path) : invoked;
}

/**
 * @param {string} path
 * @returns {string[]} the path, and the target of each link that it leads through
 */
function linksFrom(path) {
  const paths = [path];
  try {
    for (let at = path; paths.length < LINKS_MAX; paths.push(at)) at = resolve(dirname(at), readlinkSync(at));
  } catch {
    // The last path is no link.
  }
  return paths;
}

/** @param {string} path @returns {string | undefined} */
function realOf(path) {
  try {
    // An empty path would mean the working directory.
    return isAbsolute(path) ? realpathSync(path) : undefined;
  } catch {
    return undefined;
  }
}
