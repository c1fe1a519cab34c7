import type { Database } from 'better-sqlite3';
import type { MigrationRef } from '../messages/dry-run-result.ts';

/** A numbered SQL file. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
  /** It has COMPATIBLE_MARK. */
  readonly isCompatible: boolean;
}

/** A migration that a database has, as it is recorded there. */
export interface RecordedMigration {
  readonly owner: string;
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  readonly isCompatible: boolean;
}

/** The result of comparing a database with the migrations of a release. */
export interface Compatibility {
  /** Migrations of the release that the database lacks, in the order of application. */
  readonly pending: readonly MigrationRef[];
  /** Migrations of the database that the release lacks: a newer release has applied them. */
  readonly ahead: readonly MigrationRef[];
  /** Why the release cannot use the database, for people; left out when it can. */
  readonly refusal?: string;
}

/** The migrations of one owner in a release. */
export interface OwnedMigrations {
  readonly name: string;
  readonly migrations: readonly Migration[];
}

/** @returns the migrations of a database, by owner and number; none for a new one. Reads a table without marks, too */
export function recordedMigrations(db: Database): RecordedMigration[] {
  const columns = db.prepare<[], string>("SELECT name FROM pragma_table_info('migrations')").pluck().all();
  if (columns.length === 0) return [];
  const mark = columns.includes('is_compatible') ? 'is_compatible' : '0';
  return db
    .prepare<[], Omit<RecordedMigration, 'isCompatible'> & { isCompatible: number }>(
      `SELECT owner, number, name, checksum, ${mark} AS isCompatible FROM migrations ORDER BY owner, number`,
    )
    .all()
    .map((row) => ({ ...row, isCompatible: row.isCompatible === 1 }));
}

/** @returns the number of the newest migration of each owner in a database */
export function newestMigrations(db: Database): Readonly<Record<string, number>> {
  return Object.fromEntries(recordedMigrations(db).map(({ owner, number }) => [owner, number]));
}

/** @returns the same, but only of migrations that are not marked as compatible with older releases */
export function newestNeeded(db: Database): Readonly<Record<string, number>> {
  const needed = recordedMigrations(db).filter(({ isCompatible }) => !isCompatible);
  return Object.fromEntries(needed.map(({ owner, number }) => [owner, number]));
}

/**
 * Compares the migrations of a database with those of a release. A migration that both have must be the same file. One
 * that only the database has must be marked as compatible with older releases, of which this release is one.
 */
export function compareHistory(
  recorded: readonly RecordedMigration[],
  owners: readonly OwnedMigrations[],
): Compatibility {
  const pending: MigrationRef[] = [];
  const ahead: MigrationRef[] = [];
  const refusals: string[] = [];
  const owned = new Map(owners.map(({ name, migrations }) => [name, migrations]));
  const counts = new Map<string, number>();
  for (const past of recorded) {
    const count = (counts.get(past.owner) ?? 0) + 1;
    counts.set(past.owner, count);
    const present = owned.get(past.owner)?.[past.number - 1];
    if (past.number !== count) refusals.push(gap(past, count));
    else if (present === undefined) ahead.push(refTo(past.owner, past));
    else if (present.checksum !== past.checksum) refusals.push(other(past, present));
  }
  for (const { name, migrations } of owners) {
    pending.push(...migrations.slice(counts.get(name) ?? 0).map((migration) => refTo(name, migration)));
  }
  const unmarked = ahead.filter(({ isCompatible }) => !isCompatible);
  if (unmarked.length > 0) refusals.push(tooNew(unmarked));
  const [refusal] = refusals;
  return { pending, ahead, ...(refusal !== undefined && { refusal }) };
}

function refTo(owner: string, { name, isCompatible }: Omit<MigrationRef, 'owner'>): MigrationRef {
  return { owner, name, isCompatible };
}

function gap({ owner, name }: RecordedMigration, expected: number): string {
  return `${owner}/${name} was applied to this database where number ${expected} was expected: its record has a gap. Restore the database.`;
}

function other({ owner, name }: RecordedMigration, present: Migration): string {
  return name === present.name
    ? `${owner}/${name} was applied to this database and has been edited since. Undo the edit and put the change into a new file.`
    : `This database has ${owner}/${name}, and this release has ${present.name} in its place. Bring ${name} back as it was applied, and give ${present.name} the next number that is free.`;
}

function tooNew(unmarked: readonly MigrationRef[]): string {
  const names = unmarked.map(({ owner, name }) => `${owner}/${name}`).join(', ');
  return `This database has ${names}, which this release does not have, and which nothing marks as compatible with older releases. What remains: start the release that has it, go back to a moment before it (restore --at, which loses what was written since), or release a fix that has the same file.`;
}
