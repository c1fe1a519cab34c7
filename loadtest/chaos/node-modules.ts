import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { carriedLitestream } from '../../src/testing/carried-litestream.ts';

const PROJECTS = fileURLToPath(new URL('../../node_modules', import.meta.url));
const LOCK = '.package-lock.json';

/**
 * The node_modules of one deployment, with the production packages, Node.js and Litestream included. Its files are hard
 * links to the project's where the file system allows that. States: missing → installed (`install`) → missing
 * (`remove`).
 */
export class NodeModules {
  readonly folder: string;

  /** @param root the folder of the deployment */
  constructor(root: string) {
    this.folder = join(root, 'node_modules');
  }

  /** Its Node.js; where npm installs none, the one that runs this process. */
  get nodePath(): string {
    const own = join(this.folder, '.bin/node');
    return existsSync(join(PROJECTS, '.bin/node')) ? own : process.execPath;
  }

  /** Its Litestream; undefined where npm installs none. */
  get litestreamPath(): string | undefined {
    const carried = carriedLitestream();
    return carried && join(this.folder, relative(PROJECTS, carried));
  }

  install(): void {
    mkdirSync(join(this.folder, '.bin'), { recursive: true });
    for (const path of productionPackages()) this.#link(path);
    if (existsSync(join(PROJECTS, '.bin/node'))) {
      symlinkSync(readlinkSync(join(PROJECTS, '.bin/node')), join(this.folder, '.bin/node'));
    }
    copyFileSync(join(PROJECTS, LOCK), join(this.folder, LOCK));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** @param path of a folder below this one */
  #link(path: string): void {
    mkdirSync(join(this.folder, path), { recursive: true });
    for (const entry of readdirSync(join(PROJECTS, path), { withFileTypes: true })) {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) this.#link(inner);
      else linkFile(join(PROJECTS, inner), join(this.folder, inner));
    }
  }
}

/** @returns the folders below node_modules, outer packages before those in them */
function productionPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(PROJECTS, LOCK), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  return Object.entries(lock.packages)
    .filter(([, { dev }]) => dev !== true)
    .map(([path]) => relative('node_modules', path))
    .filter((path) => existsSync(join(PROJECTS, path)));
}

function linkFile(from: string, to: string): void {
  // A nested package comes twice: with its outer package, and by itself.
  if (existsSync(to)) return;
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    copyFileSync(from, to);
  }
}
