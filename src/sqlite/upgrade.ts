import type { Database } from 'better-sqlite3';
import { machineFailure } from './machine-failure.ts';
import { migrate, type Owner } from './migrations.ts';

/** A database that is brought up to date, and whose migrations it takes, in order. */
export interface UpgradeTarget {
  readonly database: string;
  readonly db: Database;
  readonly owners: readonly Owner[];
}

export interface UpgradeOptions {
  /** Hears of each step before it: none says anything while it takes its time. */
  readonly before: (step: string) => void;
  /** Called for each database that anything was applied to, in the transaction that it was applied in. */
  readonly onApplied?: (db: Database) => void;
  /** Has the last word, with every table there and nothing committed yet; what it throws undoes everything. */
  readonly beforeCommit: () => void;
}

/**
 * Brings several databases up to date, all of them or none: the code of before can then go on with its data. A
 * transaction is begun on each, and none is committed before everything has been applied. The commits follow one
 * another, and a crash or a full disk may come between them: what is committed then fits the new code, which goes on
 * from there.
 *
 * @returns what was applied, as `database owner/name`
 * @throws Failure migration_mismatch when one fails or does not fit, storage_full, not_ready, or what `beforeCommit` threw
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
