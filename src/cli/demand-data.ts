import { Failure } from '../platform/errors.ts';
import { holdsDatabase } from '../platform/folder.js';
import { demandReadableDataDir } from '../sqlite/data-dir.ts';

/**
 * For a command that needs what a start has made: it must not make that itself, perhaps in a wrong place. It does not
 * ask the app for its databases: an app that hangs while it is loaded shall not prevent a rollback.
 * @param dataDir absolute
 * @throws Failure not_ready where there is no database, data_dir_unusable where that cannot be found out
 */
export function demandDatabase(dataDir: string): void {
  demandReadableDataDir(dataDir);
  if (holdsDatabase(dataDir)) return;
  throw new Failure(
    'not_ready',
    `There is no database in ${dataDir}. Where the data is in another folder, set DATA_DIR; else start a system with: npm start`,
  );
}
