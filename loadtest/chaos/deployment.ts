import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const COPIED = ['src', 'config', 'package.json'];

/**
 * A copy of the code that a trial runs and may change as a deploy would. It also keeps a trial from the edits of
 * whoever works on the project meanwhile.
 */
export class Deployment {
  readonly root: string;
  /** What the changed files held at first; the project's own may change meanwhile. */
  readonly #originals = new Map<string, string>();

  /** @param root a folder that does not exist yet */
  constructor(root: string) {
    this.root = root;
    mkdirSync(root);
    for (const name of COPIED) cpSync(join(PROJECT, name), join(root, name), { recursive: true });
    symlinkSync(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
  }

  /** Puts a file in place of another, or a new one. @param path below the root */
  write(path: string, text: string): void {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    if (existsSync(full) && !this.#originals.has(path)) this.#originals.set(path, this.read(path));
    writeFileSync(full, text);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /**
   * Changes one place of a file.
   * @throws Error when the place is not there, since the deploy would then not be what the trial needs
   */
  replace(path: string, place: string, by: string): void {
    const text = this.read(path);
    if (!text.includes(place)) throw new Error(`${path} has no ${JSON.stringify(place)}`);
    this.write(
      path,
      text.replace(place, () => by),
    );
  }

  /** Puts a statement that runs before everything else of a module, its imports included. */
  prepend(path: string, statement: string): void {
    const faultPath = path.replace(/\.ts$/, '-chaos.ts');
    this.write(faultPath, `${statement}\nexport {};\n`);
    const name = faultPath.slice(faultPath.lastIndexOf('/') + 1);
    this.write(path, `import './${name}';\n${this.read(path)}`);
  }

  /**
   * Adds a feature to the monolith, as its maker would.
   * @param routes the body of a function that gets `route`
   */
  addFeature(name: string, routes: string): void {
    this.write(
      `src/${name}/routes.ts`,
      `export function routes({ route }: { route: any }): void {\n${routes}\n}\n`,
    );
    this.write(`src/${name}/migrations/.keep`, '');
    const list = 'export const features: readonly Feature[] = [';
    this.replace(
      'src/features.ts',
      list,
      `${list}
  {
    name: '${name}',
    database: 'main',
    migrations: new URL('./${name}/migrations/', import.meta.url),
    commands: async () => ({}),
    routes: async () => (await import('./${name}/routes.ts')).routes,
  },`,
    );
  }

  /** Brings back what a file held before it was changed. */
  restore(path: string): void {
    const original = this.#originals.get(path);
    if (original !== undefined) writeFileSync(join(this.root, path), original);
  }
}
