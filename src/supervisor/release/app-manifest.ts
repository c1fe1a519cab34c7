import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AppManifest, parseManifest } from '../../contract/manifest.ts';
import { Failure } from '../../platform/errors.ts';
import { askRelease } from './ask.ts';
import { nameOf } from './name-of.ts';
import { isCopy, type StoredRelease } from './store.js';

/** Beside the code of the copy, which does not change any more. */
const FILE = '.app.json';

/**
 * Tells what the primary has to know of a release's app. A process of that release says it once; the answer is kept in
 * the copy.
 * @throws Failure release_unusable when the code cannot be loaded, or its answer is no manifest
 */
export async function appManifestOf(release: StoredRelease, timeoutMs: number): Promise<AppManifest> {
  const path = join(release.folder, FILE);
  const kept = isCopy(release) ? parseManifest(keptIn(path)) : undefined;
  if (kept) return kept;
  const { PATH, HOME } = process.env;
  const answer = await askRelease(release, 'describe.ts', { args: [], env: { PATH, HOME }, timeoutMs });
  const manifest = parseManifest(answer);
  if (!manifest)
    throw new Failure(
      'release_unusable',
      `Release ${nameOf(release)} cannot be loaded: it does not tell what it is`,
    );
  if (isCopy(release)) keep(path, JSON.stringify(answer));
  return manifest;
}

function keptIn(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Where it cannot be kept, the next start asks again. */
function keep(path: string, text: string): void {
  try {
    writeFileSync(`${path}.tmp`, text, { mode: 0o400 });
    renameSync(`${path}.tmp`, path);
  } catch {}
}
