import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeModules } from './node-modules.ts';

/** The project that this process runs from. */
export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const MANIFEST = 'package.json';
const COPIED = ['src', 'config', MANIFEST];
/** The line that marks a migration as compatible with older releases. */
const COMPATIBLE = '-- compatible: older releases go on';

/** The app that a deployment runs; the paths are below the project. */
export interface DeployedApp {
  readonly folder: string;
  readonly module: string;
  /** The folder of its migrations. */
  readonly migrations: string;
}

const ALERTS: DeployedApp = {
  folder: 'src/app',
  module: 'src/app/app.ts',
  migrations: 'src/app/alerts/migrations',
};

/**
 * A copy of the code that a trial runs, and changes as a deploy would. The copy also keeps edits of the project during
 * the trial away from it.
 */
export class Deployment {
  readonly root: string;
  /** The original content of changed files; the project's own may change meanwhile. */
  readonly #originals = new Map<string, string>();

  readonly #app: DeployedApp;

  /** @param root a folder that does not exist yet */
  constructor(root: string, app = ALERTS) {
    this.root = root;
    this.#app = app;
    mkdirSync(root);
    for (const name of new Set([...COPIED, app.folder]))
      cpSync(join(PROJECT, name), join(root, name), { recursive: true });
    symlinkSync(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
    const manifest = JSON.parse(this.read(MANIFEST)) as object;
    this.write(MANIFEST, inJson({ ...manifest, ninelives: { app: app.module } }));
  }

  /** Replaces the link to the project's node_modules by a node_modules of its own. */
  ownModules(): NodeModules {
    rmSync(join(this.root, 'node_modules'));
    const modules = new NodeModules(this.root);
    modules.install();
    return modules;
  }

  /** @param root a folder that does not exist yet; gets the current code, and a link to the same node_modules */
  copyTo(root: string): void {
    cpSync(this.root, root, { recursive: true, verbatimSymlinks: true });
  }

  /** Makes it another release. */
  setVersion(version: string): void {
    const manifest = JSON.parse(this.read(MANIFEST)) as object;
    this.write(MANIFEST, inJson({ ...manifest, version }));
  }

  /** Writes or replaces a file. @param path below the root */
  write(path: string, text: string): void {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    this.#keepOriginal(path);
    writeFileSync(full, text);
  }

  /** Removes a file. @param path below the root */
  remove(path: string): void {
    this.#keepOriginal(path);
    rmSync(join(this.root, path));
  }

  /** Cuts a file off in its middle, as a copy under way leaves it. */
  truncate(path: string): void {
    const text = this.read(path);
    this.write(path, text.slice(0, text.length / 2));
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /**
   * Changes one place of a file.
   * @throws Error when the file does not have the place: the deploy would not be the one that the trial needs
   */
  replace(path: string, place: string, by: string): void {
    const text = this.read(path);
    if (!text.includes(place)) throw new Error(`${path} has no ${JSON.stringify(place)}`);
    this.write(
      path,
      text.replace(place, () => by),
    );
  }

  /** Adds a statement that runs before everything else of a module, imports included. */
  prepend(path: string, statement: string): void {
    const faultPath = path.replace(/\.ts$/, '-chaos.ts');
    this.write(faultPath, `${statement}\nexport {};\n`);
    const name = faultPath.slice(faultPath.lastIndexOf('/') + 1);
    this.write(path, `import './${name}';\n${this.read(path)}`);
  }

  /**
   * Adds a feature with one route, `GET /NAME`, to the app, as a developer would.
   * @param prepare the body of a function that gets `db` and returns the route's handler
   */
  addFeature(name: string, prepare: string): void {
    const { folder, module } = this.#app;
    const contract = `${'../'.repeat(folder.split('/').length + 1)}src/contract`;
    this.write(
      `${folder}/${name}/routes.ts`,
      `import { defineRoute } from '${contract}/route.ts';
export const routes = [
  defineRoute({
    method: 'get',
    path: '/${name}',
    scope: 'public',
    rate: 'public',
    id: '${name}',
    summary: 'A test.',
    answers: { 200: { description: 'Done.' } },
    prepare({ db }) {
${prepare}
    },
  }),
];
`,
    );
    this.write(
      `${folder}/${name}/feature.ts`,
      `import { defineFeature } from '${contract}/app.ts';
export const ${name} = defineFeature({
  name: '${name}',
  database: 'main',
  migrations: new URL('./migrations/', import.meta.url),
  commands: async () => ({}),
  routes: async () => (await import('./routes.ts')).routes,
});
`,
    );
    this.write(`${folder}/${name}/migrations/.keep`, '');
    const list = 'features: [';
    this.replace(module, list, `${list}${name}, `);
    this.write(module, `import { ${name} } from './${name}/feature.ts';\n${this.read(module)}`);
  }

  /** Removes the features that were added. */
  removeFeatures(): void {
    this.restore(this.#app.module);
  }

  /**
   * Adds the app's next migration.
   * @param name such as `add_note`
   * @param isCompatible whether it is marked as compatible with older releases
   * @returns its file name
   */
  addMigration(name: string, sql: string, isCompatible: boolean): string {
    const last = readdirSync(join(this.root, this.#app.migrations)).filter((file) =>
      file.endsWith('.sql'),
    ).length;
    const file = `${String(last + 1).padStart(4, '0')}_${name}.sql`;
    this.write(`${this.#app.migrations}/${file}`, `${isCompatible ? `${COMPATIBLE}\n` : ''}${sql}\n`);
    return file;
  }

  /** @param file as `addMigration` returned it */
  removeMigration(file: string): void {
    rmSync(join(this.root, this.#app.migrations, file));
  }

  /** Restores the original content of a file. */
  restore(path: string): void {
    const original = this.#originals.get(path);
    if (original !== undefined) writeFileSync(join(this.root, path), original);
  }

  #keepOriginal(path: string): void {
    if (existsSync(join(this.root, path)) && !this.#originals.has(path)) {
      this.#originals.set(path, this.read(path));
    }
  }
}

function inJson(manifest: object): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
