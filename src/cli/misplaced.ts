import { existsSync, lstatSync, readdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Failure } from '../platform/errors.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';

/**
 * Looks for settings and databases in places where they have no effect: in a release folder, which is removed one day,
 * or in the working directory, where they were used once.
 *
 * @param dataDir the data folder that is used, absolute
 * @throws Failure config_invalid, with both places and how to move what was found
 */
export function refuseMisplaced({ root, installation, cwd }: Invocation, dataDir: string): void {
  const isLink = lstatSync(root).isSymbolicLink();
  const releaseFolder = isLink ? realpathSync(root) : undefined;
  for (const folder of new Set([releaseFolder, cwd])) {
    if (folder === undefined || folder === realpathSync(installation)) continue;
    const isRelease = folder === releaseFolder;
    const counts = join(installation, '.env');
    if (existsSync(join(folder, '.env')) && (isRelease || !existsSync(counts))) {
      refuse(join(folder, '.env'), counts, 'Settings');
    }
    // An absolute DATA_DIR is the same from every folder.
    const found = resolve(folder, process.env.DATA_DIR || 'data');
    if (found === dataDir) continue;
    const misplaced = databasesIn(found).filter((name) => isRelease || !existsSync(join(dataDir, name)));
    if (misplaced.length > 0) refuse(found, dataDir, 'The data');
  }
}

function databasesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.db'));
  } catch {
    return [];
  }
}

function refuse(found: string, counts: string, what: string): never {
  throw new Failure(
    'config_invalid',
    `${what} would be taken from ${counts}, and ${found} would not count. Stop the system that uses it, and move it: mv ${found} ${counts}`,
  );
}
