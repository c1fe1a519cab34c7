import {
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '../platform/errors.ts';
import { makeFolder, packageIn } from '../platform/folder.js';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { PACKAGE } from '../supervisor/release/modules.js';
import { absolutePath } from './arguments.ts';

const USAGE = `Usage: ninelives create DIR

  Makes a project in a new or empty folder: an app with a table, a command, routes, a process of its own and a test, which
  npm start, npm run dev and npm test run.`;
const TEMPLATE = fileURLToPath(new URL('../create/template/', import.meta.url));
/** The chassis' folder. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Files that npm would not pack under their own names. */
const RENAMED = { gitignore: '.gitignore', npmrc: '.npmrc', 'env.example': '.env.example' };

/** Names that npm keeps for itself. */
const NAMES_OF_NPM = new Set(['node_modules', 'favicon.ico']);

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

/**
 * Makes a project.
 * @param args what follows the command's name
 * @throws Failure usage, file_exists where something is there already, not_made with the error of the disk
 */
export async function create(args: readonly string[], invocation: Invocation): Promise<void> {
  const [given, ...more] = args;
  if (given === undefined || given.startsWith('-') || more.length > 0) {
    if (given !== '--help' && given !== '-h') throw new Failure('usage', USAGE);
    console.log(USAGE);
    return;
  }
  const folder = absolutePath(invocation, given);
  refuseTaken(folder);
  const name = nameOf(folder);
  const packageJson = packageOf(name, folder);
  try {
    makeFolder(folder, 0o755);
    cpSync(TEMPLATE, folder, { recursive: true });
    for (const [from, to] of Object.entries(RENAMED)) renameSync(join(folder, from), join(folder, to));
    const readme = join(folder, 'README.md');
    writeFileSync(readme, readFileSync(readme, 'utf8').replace('# NAME', `# ${name}`));
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify(packageJson, undefined, 2)}\n`);
  } catch (cause) {
    // The folder was new or empty: what it has now is half a project.
    if (existsSync(folder)) {
      for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true, force: true });
    }
    throw new Failure('not_made', `The project cannot be made: ${(cause as Error).message}`, { cause });
  }
  console.log(`made ${folder}\nNext: cd ${inShell(given)} && npm install && npm run dev`);
}

/** @throws Failure file_exists */
function refuseTaken(folder: string): void {
  const there = lstatSync(folder, { throwIfNoEntry: false });
  if (there === undefined) return;
  // Also a link to nothing.
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new Failure('file_exists', `${folder} is there, and is no folder: name another one`);
  if (readdirSync(folder).length > 0)
    throw new Failure('file_exists', `${folder} is not empty: name another folder`);
}

/**
 * @returns the package name for a folder
 * @throws Failure usage where npm would refuse the name
 */
function nameOf(folder: string): string {
  const name = basename(folder).toLowerCase();
  if (!/^[a-z0-9][a-z0-9._-]{0,213}$/.test(name))
    throw new Failure('usage', `${name} is no name of a package: use letters, digits and -`);
  // A package cannot depend on a package with its own name.
  const { dependencies, devDependencies } = dependenciesOf(ownManifest(), PACKAGE);
  if (name in dependencies || name in devDependencies || NAMES_OF_NPM.has(name))
    throw new Failure('usage', `${name} is the name of another package: name another folder`);
  return name;
}

/** @returns a word, quoted for a shell where it needs that */
function inShell(word: string): string {
  return /^[\w./~@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function ownManifest(): Manifest {
  return packageIn(ROOT);
}

/** @param spec what the chassis is installed as */
function dependenciesOf(own: Manifest, spec: string) {
  return {
    dependencies: { [PACKAGE]: spec, zod: own.dependencies.zod },
    devDependencies: { ...own.peerDependencies, typescript: own.devDependencies.typescript },
  };
}

function packageOf(name: string, folder: string): object {
  return {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    ninelives: { app: 'app.ts' },
    scripts: {
      start: 'exec ninelives start',
      dev: 'exec ninelives dev',
      // Without the tests in the copies of releases, below the data.
      test: "exec node --test 'test/**/*.test.ts'",
      check: 'tsc --noEmit',
      chaos: 'exec node chaos/main.ts',
      // Commands that messages name.
      ...Object.fromEntries(
        ['status', 'doctor', 'keys', 'restore', 'stop'].map((command) => [
          command,
          `exec ninelives ${command}`,
        ]),
      ),
    },
    ...dependenciesOf(ownManifest(), chassisSpec(folder)),
  };
}

/**
 * What this chassis was installed from. It is in no registry yet, so that is mostly a tarball.
 * @throws Failure usage where npm has not installed it
 */
function chassisSpec(folder: string): string {
  const owner = dirname(dirname(ROOT));
  try {
    const { dependencies }: Manifest = packageIn(owner);
    const spec = dependencies[PACKAGE];
    if (spec?.startsWith('file:'))
      return `file:${relative(folder, resolve(owner, spec.slice('file:'.length)))}`;
    if (spec !== undefined) return spec;
  } catch {
    // Told below.
  }
  throw new Failure(
    'usage',
    `A project depends on the package of ${PACKAGE}: npm pack --pack-destination .. && cd .., then npx --package=./${PACKAGE}-X.tgz ${PACKAGE} create DIR`,
  );
}
