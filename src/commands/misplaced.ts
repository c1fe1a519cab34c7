import { existsSync, lstatSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Failure } from '../errors.ts';
import { databaseNames } from '../features.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';

/**
 * Looks for settings and databases where they do not count: in a release folder, which is removed one day, or in the
 * working directory, where they counted once.
 *
 * @param dataDir the data folder that counts, absolute
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
    // A DATA_DIR that is absolute is the same from everywhere.
    for (const name of databaseNames()) {
      const found = join(resolve(folder, process.env.DATA_DIR || 'data'), `${name}.db`);
      const inPlace = join(dataDir, `${name}.db`);
      if (found === inPlace || !existsSync(found) || (!isRelease && existsSync(inPlace))) continue;
      refuse(resolve(folder, process.env.DATA_DIR || 'data'), dataDir, 'The data');
    }
  }
}

function refuse(found: string, counts: string, what: string): never {
  throw new Failure(
    'config_invalid',
    `${what} would be taken from ${counts}, and ${found} would not count. Stop the system that uses it, and move it: mv ${found} ${counts}`,
  );
}
