import type { Database } from 'better-sqlite3';
import { machineFailure } from './machine-failure.ts';
import { migrate, type Owner } from './migrations.ts';

/** A database to migrate, with the owners of its migrations, in order. */
export interface UpgradeTarget {
  readonly database: string;
  readonly db: Database;
  readonly owners: readonly Owner[];
}

export interface UpgradeOptions {
  /** Called before each step: a step blocks the event loop and reports nothing while it runs. */
  readonly before: (step: string) => void;
  /** Called for each database to which a migration was applied, inside the same transaction. */
  readonly onApplied?: (db: Database) => void;
  /** Called when all migrations are applied and nothing is committed yet. If it throws, everything is undone. */
  readonly beforeCommit: () => void;
}

/**
 * Migrates several databases, all of them or none, so that after a failure the old code can go on with its data. Each
 * database has a transaction, and none is committed before every migration has been applied. A crash or a full disk may
 * still come between two commits: the committed databases then fit the new code, which continues from there.
 *
 * @returns the applied migrations, as `database owner/name`
 * @throws Failure migration_mismatch when a migration fails or does not fit, storage_full, not_ready, or the error of
 *   `beforeCommit`
 */
export function upgrade(targets: readonly UpgradeTarget[], options: UpgradeOptions): string[] {
  const { before, onApplied, beforeCommit } = options;
  const applied: string[] = [];
  try {
    for (const { db } of targets) db.exec('BEGIN IMMEDIATE');
    for (const { database, db, owners } of targets) {
      const names = migrate(db, owners, (name) => before(`migrating ${database} ${name}`));
      if (names.length > 0) onApplied?.(db);
      applied.push(...names.map((name) => `${database} ${name}`));
    }
    beforeCommit();
    for (const { database, db } of targets) {
      if (applied.length > 0) before(`committing the migrations of ${database}`);
      db.exec('COMMIT');
    }
    return applied;
  } catch (error) {
    for (const { db } of targets) if (db.inTransaction) db.exec('ROLLBACK');
    throw machineFailure('the upgrade of the databases', error) ?? error;
  }
}
