import { Failure } from '../platform/errors.ts';
import { holdsDatabase } from '../platform/folder.js';
import { demandReadableDataDir } from '../sqlite/data-dir.ts';

/**
 * For a command that can do nothing without what a start has made: it must not make that itself in a wrong place. It asks no
 * app what its databases are: one that hangs as it is loaded shall keep nobody from going back.
 * @param dataDir absolute
 * @throws Failure not_ready where there is no database, data_dir_unusable where that cannot be told
 */
export function demandDatabase(dataDir: string): void {
  demandReadableDataDir(dataDir);
  if (holdsDatabase(dataDir)) return;
  throw new Failure(
    'not_ready',
    `There is no database in ${dataDir}. Where the data is in another folder, set DATA_DIR; else start a system with: npm start`,
  );
}
