import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '../errors.ts';
import { makeFolder } from '../folder.js';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { PACKAGE } from '../supervisor/release/modules.js';
import { absolutePath } from './arguments.ts';

const USAGE = `Usage: ninelives create DIR

  Makes a project in a new or empty folder: an app with a table, a command, routes, a process of its own and a test, which
  npm start, npm run dev and npm test run.`;
const TEMPLATE = fileURLToPath(new URL('../create/template/', import.meta.url));
/** Of the chassis. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Names that npm would not pack as they are. */
const RENAMED = { gitignore: '.gitignore', npmrc: '.npmrc', 'env.example': '.env.example' };

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

/**
 * Makes a project.
 * @param args what follows the command's name
 * @throws Failure usage, or file_exists where something is there already
 */
export async function create(args: readonly string[], invocation: Invocation): Promise<void> {
  const [given, ...more] = args;
  if (given === undefined || given.startsWith('-') || more.length > 0) {
    if (given !== '--help' && given !== '-h') throw new Failure('usage', USAGE);
    console.log(USAGE);
    return;
  }
  const folder = absolutePath(invocation, given);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Failure('file_exists', `${folder} is not empty: name another folder`);
  const name = basename(folder).toLowerCase();
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name))
    throw new Failure('usage', `${name} is no name of a package: use letters, digits and -`);
  const packageJson = packageOf(name, folder);
  makeFolder(folder, 0o755);
  cpSync(TEMPLATE, folder, { recursive: true });
  for (const [from, to] of Object.entries(RENAMED)) renameSync(join(folder, from), join(folder, to));
  const readme = join(folder, 'README.md');
  writeFileSync(readme, readFileSync(readme, 'utf8').replace('# NAME', `# ${name}`));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(packageJson, undefined, 2)}\n`);
  console.log(`made ${folder}\nNext: cd ${given} && npm install && npm run dev`);
}

function packageOf(name: string, folder: string): object {
  const own: Manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    ninelives: { app: 'app.ts' },
    scripts: {
      start: 'exec ninelives start',
      dev: 'exec ninelives dev',
      test: 'exec node --test',
      check: 'tsc --noEmit',
      chaos: 'exec node chaos/main.ts',
      // Those that messages name.
      ...Object.fromEntries(
        ['status', 'doctor', 'keys', 'restore', 'stop'].map((command) => [
          command,
          `exec ninelives ${command}`,
        ]),
      ),
    },
    dependencies: { [PACKAGE]: chassisSpec(folder), zod: own.dependencies.zod },
    devDependencies: { ...own.peerDependencies, typescript: own.devDependencies.typescript },
  };
}

/**
 * What this chassis was installed as: it is in no registry yet, so it is mostly a tarball.
 * @throws Failure usage where npm has not installed it
 */
function chassisSpec(folder: string): string {
  const owner = dirname(dirname(ROOT));
  try {
    const { dependencies }: Manifest = JSON.parse(readFileSync(join(owner, 'package.json'), 'utf8'));
    const spec = dependencies[PACKAGE];
    if (spec?.startsWith('file:'))
      return `file:${relative(folder, resolve(owner, spec.slice('file:'.length)))}`;
    if (spec !== undefined) return spec;
  } catch {
    // Told below.
  }
  throw new Failure(
    'usage',
    `A project depends on the package of ${PACKAGE}: npm pack, then npx --package=./${PACKAGE}-X.tgz ${PACKAGE} create DIR`,
  );
}
