import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { Failure } from '../errors.ts';

/** What would end the transaction that a migration runs in; `BEGIN` and `END` also stand in triggers. */
const TRANSACTION_CONTROL = /(?:^|;)\s*(?:COMMIT|ROLLBACK|END\s+TRANSACTION)\b/im;
const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** A numbered SQL file. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** Whose migrations a database takes. */
export interface Owner {
  readonly name: string;
  /** Folder of numbered SQL files. */
  readonly migrations: URL;
}

interface Applied {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
}

/**
 * @param folder holds `0001_name.sql`, `0002_name.sql`, … without a gap
 * @returns them in order
 * @throws Failure migration_mismatch when a name or a number is wrong, or one would end its transaction
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
    if (TRANSACTION_CONTROL.test(sql)) {
      throw mismatch(
        `${name} ends a transaction. Take that out: all migrations are one, or none is applied.`,
      );
    }
    return { number, name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
}

/**
 * Brings the tables of one owner up to date as a whole: all that it lacks together with the record that it ran, or
 * nothing. In a transaction of the caller it is a part of that one, else it is its own. Past migrations must be there
 * unchanged: a database is only what its history made it.
 *
 * @param owner the feature whose tables they are
 * @param before hears the name of each before it runs, since it blocks for as long as it takes
 * @returns the names of those applied now
 * @throws Failure migration_mismatch when a recorded migration was edited or is missing, or a new one fails
 */
export function migrate(
  db: Database,
  owner: string,
  migrations: readonly Migration[],
  before: (name: string) => void = () => {},
): string[] {
  return db.transaction(() => applyPending(db, owner, migrations, before)).immediate();
}

function applyPending(
  db: Database,
  owner: string,
  migrations: readonly Migration[],
  before: (name: string) => void,
): string[] {
  db.exec(`CREATE TABLE IF NOT EXISTS migrations (
    owner         TEXT NOT NULL,
    number        INTEGER NOT NULL,
    name          TEXT NOT NULL,
    checksum      TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL,
    PRIMARY KEY (owner, number)
  ) STRICT, WITHOUT ROWID`);
  const applied = db
    .prepare<[string], Applied>(
      'SELECT number, name, checksum FROM migrations WHERE owner = ? ORDER BY number',
    )
    .all(owner);
  for (const past of applied) check(owner, past, migrations[past.number - 1]);

  const record = db.prepare(
    'INSERT INTO migrations (owner, number, name, checksum, applied_at_ms) VALUES (?, ?, ?, ?, ?)',
  );
  const pending = migrations.slice(applied.length);
  for (const { number, name, sql, checksum } of pending) {
    before(name);
    try {
      db.exec(sql);
      record.run(owner, number, name, checksum, Date.now());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw mismatch(`${owner}/${name} failed, and everything was undone: ${reason}`, error);
    }
  }
  return pending.map((migration) => migration.name);
}

function check(owner: string, past: Applied, present: Migration | undefined): void {
  if (!present) {
    throw mismatch(
      `${owner}/${past.name} was applied to this database and is missing now. Start the version that has it.`,
    );
  }
  if (present.checksum !== past.checksum) {
    throw mismatch(
      `${owner}/${present.name} was applied to this database and has been edited since. Undo the edit and put the change into a new file.`,
    );
  }
}

function mismatch(message: string, cause?: unknown): Failure {
  return new Failure('migration_mismatch', message, { cause });
}
