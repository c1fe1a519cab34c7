import { existsSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Failure } from '../errors.ts';
import { freeDiskMb } from '../free-disk.ts';
import { migrate, type Owner, readMigrations } from '../sqlite/migrations.ts';

const MB = 1024 * 1024;
/** The copy, and what its migrations may add to it or keep for an undo: a table that is rebuilt is there twice. */
const COPIES = 2;

export interface DryRunOptions {
  /** The live database, only read; one that does not exist has nothing to lose. */
  readonly path: string;
  /** Where the copy is made; its folder exists. */
  readonly scratchPath: string;
  /** Whose migrations it takes, in order. */
  readonly owners: readonly Owner[];
  /** Free disk that must be left beside the copy. */
  readonly reserveMb: number;
  /** Hears of each step before it: none says anything while it takes its time. */
  readonly before: (step: string) => void;
}

/**
 * Applies the migrations that a database lacks to a copy of it, which is removed again. The writer that serves goes
 * on meanwhile, and stays when this fails: once it has handed over, its code is no longer on the disk.
 *
 * @throws Failure migration_mismatch when one fails or does not fit, storage_full when there is no room for the copy
 */
export function dryRun({ path, scratchPath, owners, reserveMb, before }: DryRunOptions): void {
  if (!existsSync(path)) return;
  const live = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    if (!lacksAny(live, owners)) return;
    clear(scratchPath);
    demandRoom(live, path, scratchPath, reserveMb);
    before('copying');
    live.prepare('VACUUM INTO ?').run(scratchPath);
    applyOn(scratchPath, owners, before);
  } finally {
    live.close();
    clear(scratchPath);
  }
}

function applyOn(path: string, owners: readonly Owner[], before: (step: string) => void): void {
  const copy = new Sqlite(path);
  try {
    copy.pragma('synchronous = OFF');
    copy.pragma('foreign_keys = ON');
    migrate(copy, owners, before);
  } finally {
    copy.close();
  }
}

/** Checked before the copy is begun: a disk that it fills is the disk of the writer that serves. */
function demandRoom(live: Sqlite.Database, path: string, scratchPath: string, reserveMb: number): void {
  const pageCount = live.pragma('page_count', { simple: true }) as number;
  const pageBytes = live.pragma('page_size', { simple: true }) as number;
  const neededMb = Math.ceil((COPIES * pageCount * pageBytes) / MB) + reserveMb;
  const folder = dirname(scratchPath);
  const freeMb = freeDiskMb(folder);
  if (freeMb >= neededMb) return;
  throw new Failure(
    'storage_full',
    `Trying the migrations on a copy of ${basename(path)} needs ${neededMb} MB in ${folder} (DISK_RESERVE_MB=${reserveMb} of them stay free), and ${freeMb} MB are free. Free some disk and reload again, or restart: a start migrates without a copy, and undoes everything when a migration fails.`,
  );
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
