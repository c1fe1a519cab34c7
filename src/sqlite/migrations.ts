import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { Failure } from '../platform/errors.ts';
import { isDamage } from './damage.ts';
import { machineFailure } from './machine-failure.ts';
import {
  compareHistory,
  type Migration,
  type OwnedMigrations,
  recordedMigrations,
} from './migration-history.ts';
import { withoutComments } from './without-comments.ts';

/** Matches SQL that would end a migration's transaction. `BEGIN` and `END` alone are allowed: triggers have them. */
const TRANSACTION_CONTROL = /(?:^|;)\s*(?:COMMIT|ROLLBACK|END\s+TRANSACTION)\b/im;
/**
 * The first line of a migration that is compatible with older releases: their statements still do what they did. Only
 * then can the system go back to a release that does not have the file.
 */
export const COMPATIBLE_MARK = '-- compatible: older releases go on';
/** Matches a line that looks like the mark. A misspelt or misplaced mark is refused, since its author relies on it. */
const MARK_LIKE = /^\s*--\s*compatible\b/i;
const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** The owner of tables in a database, with its migrations. */
export interface Owner {
  readonly name: string;
  /** Folder of numbered SQL files. */
  readonly migrations: URL;
}

/**
 * @param folder holds `0001_name.sql`, `0002_name.sql`, … without a gap
 * @returns the migrations in order
 * @throws Failure migration_mismatch when a name, number or mark is wrong, or a migration would end its transaction
 */
export function readMigrations(folder: URL): Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  return names.map((name, index) => {
    const number = Number(FILE_NAME.exec(name)?.[1]);
    if (number !== index + 1) {
      const expected = String(index + 1).padStart(4, '0');
      throw mismatch(`${name} stands where ${expected}_<name>.sql was expected`);
    }
    const sql = readFileSync(new URL(name, folder), 'utf8');
    if (TRANSACTION_CONTROL.test(withoutComments(sql))) {
      throw mismatch(
        `${name} ends a transaction. Take that out: all migrations are one, or none is applied.`,
      );
    }
    const checksum = createHash('sha256').update(sql).digest('hex');
    return { number, name, sql, checksum, isCompatible: isMarked(name, sql) };
  });
}

/** @throws Failure migration_mismatch for a misspelt or misplaced mark */
function isMarked(name: string, sql: string): boolean {
  const lines = sql.split('\n');
  const isFirst = lines[0] === COMPATIBLE_MARK;
  if (lines.slice(isFirst ? 1 : 0).some((line) => MARK_LIKE.test(line))) {
    throw mismatch(`${name} has a mark that does not count. The first line must be: ${COMPATIBLE_MARK}`);
  }
  return isFirst;
}

/** @throws Failure as `readMigrations` */
export function ownedMigrations(owners: readonly Owner[]): OwnedMigrations[] {
  return owners.map(({ name, migrations }) => ({ name, migrations: readMigrations(migrations) }));
}

/**
 * Applies all pending migrations to a database, with the records that they ran, as a whole or not at all. Within a
 * transaction of the caller they are part of it, otherwise they have their own. Past migrations must be unchanged in
 * the release, since the database was made by them. The database may have newer ones, when each is marked as
 * compatible.
 *
 * @param owners the owners of the database's tables, in the order in which they are made
 * @param before called with the name of each migration, `owner/file`, before it runs and blocks the event loop
 * @returns the names of the migrations applied now
 * @throws Failure migration_mismatch when the release cannot use the database, or a new migration fails; storage_full
 *   or not_ready when the machine is the cause
 */
export function migrate(
  db: Database,
  owners: readonly Owner[],
  before: (name: string) => void = () => {},
): string[] {
  const owned = ownedMigrations(owners);
  try {
    return db.transaction(() => applyPending(db, owned, before)).immediate();
  } catch (error) {
    // Errors of the machine may come only with the commit.
    throw machineFailure('the migrations', error) ?? error;
  }
}

function applyPending(
  db: Database,
  owners: readonly OwnedMigrations[],
  before: (name: string) => void,
): string[] {
  const { pending, refusal } = compareHistory(recordedMigrations(db), owners);
  if (refusal !== undefined) throw mismatch(refusal);
  makeRecord(db);
  const record = db.prepare(
    'INSERT INTO migrations (owner, number, name, checksum, applied_at_ms, is_compatible) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const files = new Map(
    owners.map(({ name, migrations }) => [name, new Map(migrations.map((each) => [each.name, each]))]),
  );
  return pending.map(({ owner, name }) => {
    const label = `${owner}/${name}`;
    before(label);
    const { number, sql, checksum, isCompatible } = files.get(owner)!.get(name)!;
    try {
      db.exec(sql);
      record.run(owner, number, name, checksum, Date.now(), Number(isCompatible));
    } catch (error) {
      // Damage is rethrown as it is: it is healed in the usual way.
      if (isDamage(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw (
        machineFailure(label, error) ??
        mismatch(`${label} failed, and everything was undone: ${reason}`, error)
      );
    }
    return label;
  });
}

/** Makes the table of applied migrations. One that older code has made lacks the column of the mark, which means no. */
function makeRecord(db: Database): void {
  db.exec(`CREATE TABLE IF NOT EXISTS migrations (
    owner         TEXT NOT NULL,
    number        INTEGER NOT NULL,
    name          TEXT NOT NULL,
    checksum      TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL,
    is_compatible INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (owner, number)
  ) STRICT, WITHOUT ROWID`);
  const hasMark = db
    .prepare("SELECT 1 FROM pragma_table_info('migrations') WHERE name = 'is_compatible'")
    .get();
  if (hasMark === undefined)
    db.exec('ALTER TABLE migrations ADD COLUMN is_compatible INTEGER NOT NULL DEFAULT 0');
}

function mismatch(message: string, cause?: unknown): Failure {
  return new Failure('migration_mismatch', message, { cause });
}
