import { existsSync } from 'node:fs';
import { type Compatibility, compareHistory, recordedMigrations } from './migration-history.ts';
import { type Owner, ownedMigrations } from './migrations.ts';
import { openReader } from './open.ts';

/**
 * Tells what a release would do to a database, and whether it can use it at all. Changes nothing.
 *
 * @param path the database file; of one that does not exist everything is pending
 * @param owners those of the release, in order
 * @throws Failure migration_mismatch when the release's own files are not in order
 */
export function compatibilityOf(path: string, owners: readonly Owner[]): Compatibility {
  const owned = ownedMigrations(owners);
  if (!existsSync(path)) return compareHistory([], owned);
  const db = openReader(path);
  try {
    return compareHistory(recordedMigrations(db), owned);
  } finally {
    db.close();
  }
}
