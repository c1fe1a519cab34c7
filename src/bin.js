#!/usr/bin/env node
// Plain JavaScript, so that an old Node.js gets this far: it cannot read TypeScript, and the SQLite addon would
// crash it. What it does before it has chosen the code that runs is all here.
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** sysexits.h. */
const EXIT_CONFIGURATION = 78;
/** As the kernel has it. */
const LINKS_MAX = 40;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) await launch(process.argv.slice(2));
else {
  const { runByOwnNode } = await import('./own-node.js');
  runByOwnNode(fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url)));
}

/**
 * Runs a command from the code beside this file; a start from the code that `settle` chooses, and what chooses it comes
 * from what ran last, since a deploy may be under way here.
 * @param {readonly string[]} args
 */
async function launch(args) {
  const own = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
  const cwd = workingDirectory();
  const root = rootAsInvoked(own, cwd ?? '/');
  // A release folder is removed one day; what belongs to the installation lies beside the link to it.
  const installation = lstatSync(root).isSymbolicLink() ? dirname(root) : own;
  const isHelp = ['help', undefined].includes(args[0]) || args.includes('--help') || args.includes('-h');
  try {
    const environment = isHelp ? { ...process.env } : await takeSettings({ args, own, installation });
    const invocation = { root, installation, cwd, environment };
    const dataDir = resolve(installation, process.env.DATA_DIR || 'data');
    // The code that runs lies in it, and there is no import from such a path.
    if (!isHelp && dataDir.includes('\\')) {
      const message = `DATA_DIR: expected a path without \\, from which Node.js loads no code: ${dataDir}`;
      throw Object.assign(new Error(message), { meaning: { exitCode: EXIT_CONFIGURATION } });
    }
    if (!isHelp && args[0] !== 'start' && !actsForCaller(args) && process.getuid?.() === 0) {
      const { becomeOwnerOf } = await import('./unit.js');
      becomeOwnerOf(dataDir, own);
    }
    const pinned = pinnedFolder(dataDir);
    if (!isHelp && bringsWriterUp(args, dataDir)) await start(args, invocation, own, pinned);
    else await run(args, invocation, own, pinned);
  } catch (error) {
    const { message, meaning } = /** @type {{ message: string, meaning?: { exitCode: number } }} */ (error);
    console.error(`ninelives: ${message}`);
    process.exitCode = meaning?.exitCode ?? 70;
  }
}

/**
 * What the environment has wins, then what the unit of a service sets, then `.env`.
 * @param {{ args: readonly string[], own: string, installation: string }} options
 * @returns {Promise<NodeJS.ProcessEnv>} the environment without `.env`
 */
async function takeSettings({ args, own, installation }) {
  const { readSettings } = await import('./environment-file.js');
  const { parseEnv } = await import('node:util');
  let because = '';
  if (process.env.DATA_DIR === undefined) {
    const { unitOf, becomeUserOf } = await import('./unit.js');
    const unit = unitOf([own, installation], process.env);
    if (unit) {
      take(unit.environment);
      because = `, as ${unit.name} has it`;
      if (!actsForCaller(args) && becomeUserOf(unit)) because += `, as its user ${unit.user}`;
    }
  }
  const environment = { ...process.env };
  take(parseEnv(readSettings(join(installation, '.env')) ?? ''));
  if (because !== '')
    console.error(
      `ninelives: the data folder is ${resolve(installation, process.env.DATA_DIR || 'data')}${because}`,
    );
  return environment;
}

/**
 * @param {NodeJS.Dict<string>} settings
 */
function take(settings) {
  for (const [name, value] of Object.entries(settings)) process.env[name] ??= value;
}

/**
 * It writes for whoever runs it, and not into the data folder.
 * @param {readonly string[]} args
 */
function actsForCaller([command, ...rest]) {
  return command === 'install-service' || (command === 'restore' && !rest.includes('--in-place'));
}

/**
 * A writer migrates, so that it has to be settled which one. Of the keys there are none without a database.
 * @param {readonly string[]} args
 * @param {string} dataDir
 */
function bringsWriterUp([command, word], dataDir) {
  return command === 'start' || (command === 'keys' && (word === 'create' || holdsDatabase(dataDir)));
}

/** @param {string} dataDir */
function holdsDatabase(dataDir) {
  try {
    return readdirSync(dataDir).some((name) => name.endsWith('.db'));
  } catch {
    return false;
  }
}

/**
 * @typedef {import('./supervisor/release/invocation.ts').Invocation} Invocation
 *
 * @param {readonly string[]} args
 * @param {Invocation} invocation
 * @param {string} own folder of this file's project
 * @param {string | undefined} pinned folder of what ran last
 */
async function start(args, invocation, own, pinned) {
  const path = ['src', 'supervisor', 'release', 'settle.js'];
  const { settle, dataOf } = await firstOf([pinned, own], (folder) => load(folder, path));
  const at = args[0] !== 'start' ? -1 : args.findIndex((arg) => /^--release(=|$)/.test(arg));
  const named =
    at === -1
      ? undefined
      : args[at]?.includes('=')
        ? args[at].slice(args[at].indexOf('=') + 1)
        : args[at + 1];
  const settled = await settle({
    root: invocation.root,
    ...dataOf(invocation.installation, process.env),
    chosen: named === undefined ? undefined : resolve(invocation.cwd ?? '/', named),
    isAttended: args[0] === 'start' && process.stdin.isTTY === true,
  });
  const { folder } = settled.workers;
  const { enableCompileCache } = await import('node:module');
  // The compiled code goes with the release, and with its copies.
  enableCompileCache({ directory: join(folder, '.cache'), portable: true });
  const { prepare } = await load(folder, ['src', 'main.ts']);
  await (await prepare(args, invocation, settled))();
}

/**
 * @param {readonly string[]} args
 * @param {Invocation} invocation
 * @param {string} own
 * @param {string | undefined} pinned
 */
async function run(args, invocation, own, pinned) {
  const { enableCompileCache } = await import('node:module');
  enableCompileCache(join(own, 'node_modules', '.cache', 'ninelives'));
  const command = await firstOf([own, pinned], async (folder) => {
    const { prepare } = await load(folder, ['src', 'main.ts']);
    return prepare(args, invocation);
  });
  await command();
}

/**
 * A deploy that is under way or broken shall keep nobody from asking what runs, or from going back.
 * @template Result
 * @param {readonly (string | undefined)[]} folders
 * @param {(folder: string) => Promise<Result>} use
 * @returns {Promise<Result>}
 */
async function firstOf(folders, use) {
  /** @type {unknown} */
  let first;
  for (const folder of folders) {
    if (folder === undefined) continue;
    try {
      const result = await use(folder);
      if (first !== undefined) console.error(`ninelives: ${reasonOf(first)}; using ${folder}`);
      return result;
    } catch (error) {
      // What a command says of its use is no fault of the code.
      if (error instanceof Error && 'meaning' in error) throw error;
      first ??= new Error(`the code in ${folder} cannot be loaded (${reasonOf(error)})`);
    }
  }
  throw first;
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof Error ? error.message.split('\n')[0] : String(error);
}

/**
 * @param {string} folder
 * @param {readonly string[]} path
 */
function load(folder, path) {
  return import(pathToFileURL(join(folder, ...path)).href);
}

/**
 * The project's folder as it was named: it may be a symbolic link, which a deploy moves on. It is named by the path of
 * this file, by a link to it, or by the shell's working directory, which the kernel knows without links.
 * @param {string} own
 * @param {string} cwd
 */
function rootAsInvoked(own, cwd) {
  const { PWD } = process.env;
  const invoked = resolve(cwd, process.argv[1] ?? '');
  const below = relative(cwd, invoked);
  const viaShell = PWD && realOf(PWD) === cwd && !below.startsWith('..') ? resolve(PWD, below) : invoked;
  const named = [...linksFrom(invoked), viaShell]
    .filter((path) => path.endsWith(join('src', 'bin.js')))
    .map((path) => dirname(dirname(path)));
  // npm and npx start a link of their own, and tell where they were run.
  const viaNpm = [PWD ?? '', dirname(process.env.npm_package_json ?? '')];
  for (const folder of [...named, ...viaNpm]) {
    const isOfNpm = basename(dirname(folder)) === 'node_modules';
    if (isAbsolute(folder) && folder !== own && !isOfNpm && realOf(folder) === own) return folder;
  }
  return own;
}

/**
 * @param {string} path
 * @returns {string[]} it, and where it leads to one link after the other
 */
function linksFrom(path) {
  const paths = [path];
  try {
    for (let at = path; paths.length < LINKS_MAX; paths.push(at)) at = resolve(dirname(at), readlinkSync(at));
  } catch {
    // The last one is no link.
  }
  return paths;
}

/** @returns undefined where it was removed */
function workingDirectory() {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/** @param {string} path */
function realOf(path) {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** @param {string} dataDir */
function pinnedFolder(dataDir) {
  const store = join(dataDir, 'run', 'releases');
  try {
    const { workers } = JSON.parse(readFileSync(join(store, 'current'), 'utf8'));
    const folder = join(store, String(workers));
    return existsSync(join(folder, 'src', 'bin.js')) ? folder : undefined;
  } catch {
    return undefined;
  }
}
