import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';

/** A small project on the disk, with a folder for its data beside it. */
export interface Project {
  readonly folder: string;
  readonly dataDir: string;
  readonly root: string;
  readonly write: (path: string, text: string) => void;
}

/** @returns a project of a package.json, two files and packages; it goes with the test */
export function makeProject(t: Test): Project {
  const folder = mkdtempSync(join(tmpdir(), 'nl-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const root = join(folder, 'code');
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('package.json', JSON.stringify({ version: '1.2.3' }));
  write('src/bin.js', 'export {};\n');
  write('src/deep/one.ts', 'export const one = 1;\n');
  write('node_modules/.package-lock.json', '{"packages":{}}');
  write('node_modules/koa/index.js', '');
  return { folder, root, dataDir: join(folder, 'data'), write };
}
