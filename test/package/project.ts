import { execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Test } from 'tap';
import { cleanEnv, RunningSystem } from '../../src/testing/running-system.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, without what a test runner has each Node.js load. @returns what it has printed */
export function runPlain(command: string, args: readonly string[], cwd: string): string {
  return execFileSync('env', ['--unset=NODE_OPTIONS', command, ...args], { cwd, encoding: 'utf8' });
}

/** What the tarball is made from. */
const SOURCES = [
  '.packaging',
  'config',
  'src',
  'package.json',
  'tsconfig.json',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
];

/**
 * Packs a copy of the sources: `npm pack` emits into the folder that it packs, and another test file may do so meanwhile.
 * @returns the tarball, as `npm pack` makes it
 */
export function pack(folder: string): string {
  const sources = join(folder, 'sources');
  for (const name of SOURCES) cpSync(join(ROOT, name), join(sources, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(sources, 'node_modules'));
  const args = ['pack', '--silent', '--pack-destination', folder];
  const name = runPlain('npm', args, sources).trim();
  rmSync(sources, { recursive: true });
  return join(folder, name);
}

/**
 * Makes a project by `create` of the package alone, as README.md says it.
 * @param folder with the tarball in it
 */
export function createProject(t: Test, folder: string, tarball: string, name = 'links'): Project {
  const first = join(folder, 'npx');
  mkdirSync(first);
  const spec = `file:../${basename(tarball)}`;
  writeFileSync(join(first, 'package.json'), JSON.stringify({ dependencies: { ninelives: spec } }));
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--silent', '--prefer-offline'];
  runPlain('npm', ['install', ...options], first);
  runPlain(process.execPath, ['node_modules/.bin/ninelives', 'create', `../${name}`], first);
  const project = new Project(t, join(folder, name));
  renameSync(join(first, 'node_modules'), join(project.folder, 'node_modules'));
  project.install();
  return project;
}

/** @returns a new folder that npm runs in, removed at the test's end; npm's own cache may be elsewhere */
export function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'nl-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** The project of somebody who has the chassis as a package. */
export class Project {
  readonly folder: string;
  readonly dataDir: string;
  readonly #t: Test;

  constructor(t: Test, folder: string) {
    this.#t = t;
    this.folder = folder;
    this.dataDir = join(folder, 'data');
  }

  /** Has npm install what package.json names. */
  install(): void {
    runPlain('npm', ['install', '--no-audit', '--no-fund', '--silent', '--prefer-offline'], this.folder);
  }

  /** Changes a file as an editor does. */
  replace(path: string, from: string, to: string): void {
    const text = readFileSync(join(this.folder, path), 'utf8');
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
    writeFileSync(join(this.folder, path), text.replace(from, to));
  }

  /** Starts the system by the package's program. */
  async start(env: NodeJS.ProcessEnv = {}): Promise<RunningSystem> {
    mkdirSync(this.dataDir, { recursive: true });
    const settings = {
      WORKERS: '1',
      SPARE_WORKERS: '0',
      LITESTREAM_BIN: '',
      RESTART_BACKOFF_MAX_MS: '200',
      ...env,
    };
    const system = RunningSystem.launch(this.dataDir, settings, 'pipe', {
      root: join(this.folder, 'node_modules', 'ninelives'),
      cwd: this.folder,
    });
    this.#t.teardown(() => system.destroy());
    await system.ready();
    return system;
  }

  /** Runs a command as npm has linked it. */
  async run(words: readonly string[], cwd = this.folder, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [join(this.folder, 'node_modules', '.bin', 'ninelives'), ...words],
        { cwd, env: { ...cleanEnv(), PWD: cwd, DATA_DIR: this.dataDir, ...env } },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  }
}
