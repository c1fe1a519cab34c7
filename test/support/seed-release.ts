import { existsSync, linkSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileCacheOf } from '../../src/supervisor/release/compile-cache.js';
import { sha256 } from '../../src/supervisor/release/packages.js';
import { releasesFolder } from '../../src/supervisor/release/store.js';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';

const CACHE = fileURLToPath(new URL('../../.tap/releases', import.meta.url));
/** The copies of the project's code with the app that these tests run: one, while nobody edits it. */
const TEMPLATES = join(CACHE, sha256(APP_ARGUMENTS.join(' ')));

/**
 * Gives a new data folder the copy of the code that a test before this one has made, as a folder has it that a system has
 * run in. To make one is a third of what a start costs. A start compares it with the code, and makes its own where it differs.
 */
export function seedRelease(dataDir: string): void {
  const run = join(dataDir, 'run');
  if (lstatSync(run, { throwIfNoEntry: false }) !== undefined) return;
  const hashes = hashesIn(TEMPLATES);
  if (hashes.length === 0) return;
  try {
    mkdirSync(releasesFolder(dataDir), { recursive: true, mode: 0o700 });
    for (const hash of hashes) linkFolder(join(TEMPLATES, hash), join(releasesFolder(dataDir), hash));
  } catch {
    // On another file system, or of other code and just removed.
    rmSync(run, { recursive: true, force: true });
  }
}

/**
 * Keeps the copy of the code that a system has made, for the tests after this one. The first one stays: many tests run at once,
 * and one that is being replaced serves nobody.
 * @param hash the release that it runs
 */
export function keepRelease(dataDir: string, hash: string): void {
  const kept = join(TEMPLATES, hash);
  if (existsSync(kept)) return;
  const temporary = join(TEMPLATES, `${process.pid}.tmp`);
  try {
    linkFolder(join(releasesFolder(dataDir), hash), temporary);
    renameSync(temporary, kept);
    for (const other of hashesIn(TEMPLATES))
      if (other !== hash) rmSync(join(TEMPLATES, other), { recursive: true, force: true });
  } catch {
    // As above.
    rmSync(temporary, { recursive: true, force: true });
  }
}

function hashesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.endsWith('.tmp'));
  } catch {
    return [];
  }
}

/** Its files are linked: nobody writes into those of a copy. Compiled code is not of it. */
function linkFolder(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (source === compileCacheOf(from)) continue;
    if (entry.isDirectory()) linkFolder(source, target);
    else linkSync(source, target);
  }
}
