import { existsSync } from 'node:fs';
import { type Compatibility, compareHistory, recordedMigrations } from './migration-history.ts';
import { type Owner, ownedMigrations } from './migrations.ts';
import { openReader } from './open.ts';

/**
 * Tells which migrations a release would apply to a database, and whether it can use it at all. Changes nothing.
 *
 * @param path the database file; when it does not exist, every migration is pending
 * @param owners the owners that the release has, in order
 * @throws Failure migration_mismatch when the release's own migration files are wrong
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
