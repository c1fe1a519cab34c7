import { existsSync, rmSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { migrate, readMigrations } from '../sqlite/migrations.ts';

/** Whose migrations a database takes, in order. */
export interface Owner {
  readonly name: string;
  readonly migrations: URL;
}

/**
 * Applies the migrations that a database lacks to a copy of it, which is removed again. The writer that serves goes
 * on meanwhile, and stays when this fails: once it has handed over, its code is no longer on the disk.
 *
 * @param path the live database, only read; one that does not exist has nothing to lose
 * @param scratchPath where the copy is made, on a disk with room for it
 * @throws Failure migration_mismatch when one fails or does not fit
 */
export function rehearse(path: string, scratchPath: string, owners: readonly Owner[]): void {
  if (!existsSync(path)) return;
  const live = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    if (!lacksAny(live, owners)) return;
    clear(scratchPath);
    live.prepare('VACUUM INTO ?').run(scratchPath);
  } finally {
    live.close();
  }
  const copy = new Sqlite(scratchPath);
  try {
    copy.pragma('synchronous = OFF');
    copy.pragma('foreign_keys = ON');
    for (const { name, migrations } of owners) migrate(copy, name, readMigrations(migrations));
  } finally {
    copy.close();
    clear(scratchPath);
  }
}

/** Any difference counts, also one that `migrate` then refuses. */
function lacksAny(db: Sqlite.Database, owners: readonly Owner[]): boolean {
  const checksums = db.prepare<[string], string>(
    'SELECT checksum FROM migrations WHERE owner = ? ORDER BY number',
  );
  return owners.some(({ name, migrations }) => {
    const present = readMigrations(migrations).map(({ checksum }) => checksum);
    return present.join() !== checksums.pluck().all(name).join();
  });
}

function clear(path: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
}
