import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { cleanEnv, RunningSystem } from '../../src/testing/running-system.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

const APP = `
import { defineApp, defineCommand, defineFeature, defineSettings, Failure, type RouteContext, type SettingsOf, wholeNumber } from 'ninelives';
import { readJson, sendJson, validate } from 'ninelives/http';
import { z } from 'zod';

const codes = { link_taken: { title: 'There is such a link', httpStatus: 409, exitCode: 65 } };
type Codes = typeof codes;
const settings = defineSettings({
  LINKS_MAX: { schema: wholeNumber(1, 1000), default: '2', changes: 'reload', about: 'how many links there may be' },
});
type Own = SettingsOf<typeof settings>;
declare module 'ninelives' {
  interface AppCodes extends Codes {}
  interface AppSettings extends Own {}
}

const link = z.object({ name: z.string().regex(/^[a-z0-9-]{1,40}$/), target: z.url() });
const commands = {
  put: defineCommand({
    input: link,
    prepare(db) {
      const insert = db.prepare('INSERT INTO links (name, target) VALUES (?, ?) ON CONFLICT DO NOTHING');
      const count = db.prepare<[], number>('SELECT count(*) FROM links').pluck();
      return ({ name, target }, { config }) => {
        if (count.get()! >= config.LINKS_MAX) throw new Failure('quota_exceeded', \`There are \${config.LINKS_MAX} links\`);
        if (insert.run(name, target).changes === 0) throw new Failure('link_taken', \`There is a link \${name}\`);
        return { name };
      };
    },
  }),
};
function routes({ route, db, write }: RouteContext<typeof commands>): void {
  const find = db.prepare<[string], { target: string }>('SELECT target FROM links WHERE name = ?');
  route.post('/links', 'write', async (ctx) => {
    sendJson(ctx, 201, await write(ctx, 'put', validate(link, await readJson(ctx))));
  });
  route.get('/links/:name', 'read', (ctx) => {
    const found = find.get(ctx.params.name!);
    if (found === undefined) throw new Failure('not_found', 'There is no such link');
    sendJson(ctx, 200, { ...found, release: 1 });
  });
}
const links = defineFeature({
  name: 'links',
  database: 'main',
  settings: async () => settings,
  migrations: new URL('./links/migrations/', import.meta.url),
  commands: async () => commands,
  routes: async () => routes,
});
export default defineApp({ title: 'Links', description: 'Short links.', codes, features: [links] });
`;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, without what a test runner has each Node.js load. @returns what it has printed */
export function runPlain(command: string, args: readonly string[], cwd: string): string {
  return execFileSync('env', ['--unset=NODE_OPTIONS', command, ...args], { cwd, encoding: 'utf8' });
}

/** @returns the tarball, as `npm run package` makes it */
export function pack(folder: string): string {
  const args = ['run', '--silent', 'package', '--', '--silent', '--pack-destination', folder];
  const name = runPlain('npm', args, ROOT).trim();
  return join(folder, name);
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

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** A small app, and npm's packages with the tarball among them. */
  install(tarball: string): void {
    this.write(
      'package.json',
      JSON.stringify({
        name: 'links',
        version: '1.0.0',
        private: true,
        type: 'module',
        ninelives: { app: 'server/app.ts' },
        dependencies: { ninelives: `file:${tarball}`, zod: '4.6.7' },
      }),
    );
    this.write('server/app.ts', APP);
    this.write(
      'server/links/migrations/0001_create_links.sql',
      'CREATE TABLE links (name TEXT PRIMARY KEY, target TEXT NOT NULL) STRICT;\n',
    );
    runPlain(
      'npm',
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', '--prefer-offline'],
      this.folder,
    );
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
  async run(words: readonly string[], cwd = this.folder): Promise<Ran> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [join(this.folder, 'node_modules', '.bin', 'ninelives'), ...words],
        { cwd, env: { ...cleanEnv(), PWD: cwd, DATA_DIR: this.dataDir } },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  }
}
