import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../errors.ts';
import { databaseNames } from '../features.ts';
import { demandReadableDataDir } from '../sqlite/data-dir.ts';

/**
 * For a command that can do nothing without what a start has made: it must not make that itself in a wrong place.
 * @param dataDir absolute
 * @throws Failure not_ready where there is no database, data_dir_unusable where that cannot be told
 */
export function demandDatabase(dataDir: string): void {
  demandReadableDataDir(dataDir);
  const paths = databaseNames().map((name) => join(dataDir, `${name}.db`));
  if (paths.some((path) => existsSync(path))) return;
  throw new Failure(
    'not_ready',
    `There is no database in ${dataDir}. Where the data is in another folder, set DATA_DIR; else start a system with: npm start`,
  );
}
