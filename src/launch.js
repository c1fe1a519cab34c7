// Plain JavaScript: all that runs before the code of the system is chosen is here and in launch/. Other releases find
// this file by its path.
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EXIT_SOFTWARE, failure } from './launch/failure.js';
import { findProject } from './launch/project.js';
import { holdsDatabase } from './platform/folder.js';
import { appVariables, EMITTED, moduleIn, SOURCES } from './supervisor/release/modules.js';

/** Commands that concern no project. */
const WITHOUT_PROJECT = new Set(['create', 'help', '--help', '-h', undefined]);

/** Commands that load the app's code. A start only needs it for its help, and the help of the others does not. */
const WITH_APP = new Set(['start', 'restore', 'doctor']);
/** The commands among them that go on without the app where it cannot be loaded. */
const GOES_WITHOUT_APP = new Set(['start', 'restore']);
/** The default of START_TIMEOUT_MS. */
const LOAD_TIMEOUT_MS = 15_000;

/** The code beside this file. */
const OWN = { folder: dirname(import.meta.dirname), code: basename(import.meta.dirname) };

/**
 * @typedef {import('./supervisor/release/invocation.ts').Invocation} Invocation
 * @typedef {import('./supervisor/release/modules.js').Chassis} Chassis
 * @typedef {Chassis & { readonly app?: string }} PinnedRelease
 */

/**
 * Runs a command from the code beside this file. A start runs the code that `settle` chooses; `settle` itself comes
 * from the release that ran last, since a deploy may be under way here.
 * @param {readonly string[]} words
 */
export async function launch(words) {
  const cwd = workingDirectory();
  try {
    const { args, app: named } = takeApp(words);
    const isHelp = WITHOUT_PROJECT.has(args[0]) || asksForHelp(args);
    const project = findProject({ own: OWN.folder, isPackage: OWN.code === EMITTED, cwd: cwd ?? '/', named });
    if (project === undefined) {
      if (!isHelp) throw failure(NO_PROJECT);
      const folder = cwd ?? '/';
      await run(args, {
        root: folder,
        installation: folder,
        app: undefined,
        program: process.argv[1] ?? '',
        cwd,
        environment: { ...process.env },
      });
      return;
    }
    const { root, real, app, chassis, program } = project;
    if (!isHelp && chassis !== OWN.folder) {
      // The app imports the chassis of its project, and a process shall have only one.
      const { launch } = await import(pathToFileURL(join(chassis, EMITTED, 'launch.js')).href);
      await launch(words);
      return;
    }
    // A release folder is removed one day: what belongs to the installation is beside the link to it.
    const installation = lstatSync(root).isSymbolicLink() ? dirname(root) : real;
    const environment = isHelp ? { ...process.env } : await takeSettings({ args, own: real, installation });
    set(appVariables({ folder: real, app }));
    const invocation = {
      root,
      installation,
      app: named === undefined ? undefined : app,
      program,
      cwd,
      environment,
    };
    const dataDir = resolve(installation, process.env.DATA_DIR || 'data');
    // The data folder has the code that runs, and Node.js cannot import from such a path.
    if (!isHelp && dataDir.includes('\\')) {
      throw failure(`DATA_DIR: expected a path without \\, from which Node.js loads no code: ${dataDir}`);
    }
    if (!isHelp && args[0] !== 'start' && !actsForCaller(args) && process.getuid?.() === 0) {
      const { becomeOwnerOf } = await import('./launch/unit.js');
      becomeOwnerOf(dataDir, real);
    }
    const pinned = pinnedRelease(dataDir);
    if (!isHelp && bringsWriterUp(args, dataDir)) await start(args, invocation, pinned);
    else await run(args, invocation, pinned);
  } catch (error) {
    const { message, meaning } = /** @type {{ message: string, meaning?: { exitCode: number } }} */ (error);
    console.error(`ninelives: ${message}`);
    process.exitCode = meaning?.exitCode ?? EXIT_SOFTWARE;
  }
}

const NO_PROJECT =
  'There is no app here: neither this folder nor one above it has a package.json with "ninelives": { "app": "app.ts" }. ' +
  'Run this in the folder of a project, or name the app: --app app.ts';

/**
 * @param {readonly string[]} words
 * @returns {{ args: readonly string[], app: string | undefined }} the words without `--app`, which any command takes
 */
function takeApp(words) {
  const at = words.findIndex((word) => /^--app(=|$)/.test(word));
  const word = words[at];
  if (word === undefined) return { args: words, app: undefined };
  const isApart = word === '--app';
  const app = isApart ? words[at + 1] : word.slice('--app='.length);
  if (!app) throw failure('--app wants the path of a module, such as --app app.ts');
  return { args: words.toSpliced(at, isApart ? 2 : 1), app };
}

/** @param {readonly string[]} args */
function asksForHelp(args) {
  return args.includes('--help') || args.includes('-h');
}

/**
 * Settings, by priority: the environment, what the unit of a service sets, `.env`.
 * @param {{ args: readonly string[], own: string, installation: string }} options
 * @returns {Promise<NodeJS.ProcessEnv>} the environment without `.env`
 */
async function takeSettings({ args, own, installation }) {
  const { readDotEnv } = await import('./config/environment-file.js');
  let because = '';
  if (process.env.DATA_DIR === undefined) {
    const { unitOf, becomeUserOf } = await import('./launch/unit.js');
    const unit = unitOf([own, installation], process.env);
    if (unit) {
      take(unit.environment);
      because = `, as ${unit.name} has it`;
      if (!actsForCaller(args) && becomeUserOf(unit)) because += `, as its user ${unit.user}`;
    }
  }
  const environment = { ...process.env };
  take(readDotEnv(join(installation, '.env')));
  if (because !== '')
    console.error(
      `ninelives: the data folder is ${resolve(installation, process.env.DATA_DIR || 'data')}${because}`,
    );
  return environment;
}

/**
 * @param {NodeJS.ProcessEnv} variables
 */
function set(variables) {
  for (const [name, value] of Object.entries(variables)) {
    // An undefined value would become the string `undefined`.
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

/**
 * @param {NodeJS.Dict<string>} settings
 */
function take(settings) {
  for (const [name, value] of Object.entries(settings)) process.env[name] ??= value;
}

/**
 * Whether the command writes files for the user who runs it, and not into the data folder.
 * @param {readonly string[]} args
 */
function actsForCaller([command, ...rest]) {
  return command === 'install-service' || (command === 'restore' && !rest.includes('--in-place'));
}

/**
 * Whether the command starts a writer, which migrates, so that its release has to be settled. Without a database there
 * are no keys to list.
 * @param {readonly string[]} args
 * @param {string} dataDir
 */
function bringsWriterUp([command, word], dataDir) {
  return command === 'start' || (command === 'keys' && (word === 'create' || holdsDatabase(dataDir)));
}

/**
 * @param {readonly string[]} args
 * @param {Invocation} invocation
 * @param {PinnedRelease | undefined} pinned what ran last
 */
async function start(args, invocation, pinned) {
  const { settle, dataOf } = await firstOf([pinned, OWN], (chassis) =>
    load(chassis, 'supervisor/release/settle.js'),
  );
  const at = args[0] !== 'start' ? -1 : args.findIndex((arg) => /^--release(=|$)/.test(arg));
  const named =
    at === -1
      ? undefined
      : args[at]?.includes('=')
        ? args[at].slice(args[at].indexOf('=') + 1)
        : args[at + 1];
  // It would mean the working directory.
  if (named === '') throw failure('--release wants the folder of a release, and an empty one was given');
  const settled = await settle({
    root: invocation.root,
    ...dataOf(invocation.installation, process.env),
    chosen: named === undefined ? undefined : resolve(invocation.cwd ?? '/', named),
    app: invocation.app,
    isAttended: args[0] === 'start' && process.stdin.isTTY === true,
  });
  const { enableCompileCache } = await import('node:module');
  // The compiled code lies in the release, so that copies of the release have it.
  enableCompileCache({ directory: join(settled.workers.folder, '.cache'), portable: true });
  set(appVariables(settled.workers));
  const { prepare } = await load(settled.workers, 'main.ts');
  const command = await prepare(args, invocation, settled).catch((/** @type {Error} */ error) => {
    if (!/^Cannot find package /.test(error?.message)) throw error;
    throw new Error(`packages are missing: run npm ci in ${settled.workers.root} (${error.message})`);
  });
  await command();
}

/**
 * @param {readonly string[]} args
 * @param {Invocation} invocation
 * @param {PinnedRelease} [pinned] what ran last
 */
async function run(args, invocation, pinned) {
  const { enableCompileCache } = await import('node:module');
  const packages = OWN.code === EMITTED ? dirname(OWN.folder) : join(OWN.folder, 'node_modules');
  // The cache makes its folder, which would be in the way of a node_modules that was moved away and comes back.
  if (existsSync(packages)) enableCompileCache(join(packages, '.cache', 'ninelives'));
  const [name = ''] = args;
  const hasApp = WITH_APP.has(name) && (name === 'start' || !asksForHelp(args));
  const withoutApp = GOES_WITHOUT_APP.has(name) ? { ...OWN, told: 'going on without the app' } : undefined;
  const command = await firstOf([OWN, pinned, withoutApp], async (chassis) => {
    // The pinned release has a copy of the app, too.
    if (chassis === pinned) set(appVariables(pinned));
    if (hasApp && chassis !== withoutApp) await tryApp(chassis);
    else if (WITH_APP.has(name)) set({ NINELIVES_APP: '' });
    const { write } = process.stdout;
    // What the app prints while it is loaded is no part of the command's answer.
    process.stdout.write = process.stderr.write.bind(process.stderr);
    try {
      const { prepare } = await load(chassis, 'main.ts');
      return await prepare(args, invocation);
    } finally {
      process.stdout.write = write;
    }
  });
  await command();
  // What the app has begun might never end.
  if (hasApp) process.stdout.write('', () => process.exit());
}

/**
 * Loads the app in a process of its own first: after a disaster its code may be broken, and may hang or end its
 * process.
 * @param {Chassis} chassis
 */
async function tryApp(chassis) {
  const { askCode } = await load(chassis, 'supervisor/release/ask.ts');
  const timeoutMs = Number(process.env.START_TIMEOUT_MS) || LOAD_TIMEOUT_MS;
  try {
    const code = { ...chassis, nodePath: process.execPath };
    await askCode(code, 'load-app.ts', { args: [], env: process.env, timeoutMs });
  } catch (error) {
    throw new Error(`${reasonOf(error)}; mend it, or run this in the folder of a release that starts`);
  }
}

/**
 * Uses the first code that can be loaded: a broken deploy, or one under way, shall not keep anybody from asking what
 * runs, or from going back.
 * @template Result
 * @param {readonly ((Chassis & { readonly told?: string }) | undefined)[]} all
 * @param {(chassis: Chassis) => Promise<Result>} use
 * @returns {Promise<Result>}
 */
async function firstOf(all, use) {
  /** @type {unknown} */
  let first;
  for (const chassis of all) {
    if (chassis === undefined) continue;
    const stopWatching = watchForItsExit(chassis);
    try {
      const result = await use(chassis);
      const { folder, told = `using ${folder}` } = chassis;
      if (first !== undefined) console.error(`ninelives: ${reasonOf(first)}; ${told}`);
      return result;
    } catch (error) {
      // What a command says about its use is no fault of the code.
      if (error instanceof Error && 'meaning' in error) throw error;
      first ??= new Error(`the code in ${chassis.folder} cannot be loaded (${reasonOf(error)})`);
    } finally {
      stopWatching();
    }
  }
  throw first;
}

/**
 * Tells that nothing was done when the code ends the process while it is loaded, or awaits what never comes.
 * @param {Chassis} chassis
 * @returns {() => void} ends the watch
 */
function watchForItsExit(chassis) {
  const onExit = () => {
    console.error(
      `ninelives: nothing was done: the code in ${chassis.folder} ended this process while it was loaded`,
    );
    process.exitCode = EXIT_SOFTWARE;
  };
  process.on('exit', onExit);
  return () => process.off('exit', onExit);
}

/** @param {unknown} error */
function reasonOf(error) {
  const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
  return /^Cannot find package /.test(String(reason)) ? `${reason}: run npm ci there` : reason;
}

/**
 * @param {Chassis} chassis
 * @param {string} module
 */
function load(chassis, module) {
  return import(pathToFileURL(moduleIn(chassis, module)).href);
}

/** @returns undefined where the working directory was removed */
function workingDirectory() {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/**
 * @param {string} dataDir
 * @returns {PinnedRelease | undefined}
 */
function pinnedRelease(dataDir) {
  const store = join(dataDir, 'run', 'releases');
  try {
    const { workers } = JSON.parse(readFileSync(join(store, 'current'), 'utf8'));
    const folder = join(store, String(workers));
    const { code = SOURCES, app } = JSON.parse(readFileSync(join(folder, '.release.json'), 'utf8'));
    return existsSync(join(folder, code, 'launch.js')) ? { folder, code, app } : undefined;
  } catch {
    return undefined;
  }
}
