import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { DryRunResult, MigrationRef } from '../messages/dry-run-result.ts';
import { Failure } from '../platform/errors.ts';
import { freeDiskMb } from '../platform/free-disk.ts';
import { compatibilityOf } from '../sqlite/compatibility.ts';
import { machineFailure } from '../sqlite/machine-failure.ts';
import { migrate, type Owner } from '../sqlite/migrations.ts';
import { openReader, openWriter } from '../sqlite/open.ts';

const MB = 1024 * 1024;
/** The copy, and what its migrations may write: a rebuilt table is in the WAL, and then in the file twice. */
const COPIES = 3;

/** A database whose migrations are tried. */
export interface DryRunTarget {
  readonly database: string;
  /** The live file; it is only read. When it does not exist, the trial starts with an empty database. */
  readonly path: string;
  /** The owners of its migrations, in the order of application. */
  readonly owners: readonly Owner[];
}

export interface DryRunOptions {
  readonly targets: readonly DryRunTarget[];
  /** Absolute; empty, or made with mode 0700. */
  readonly folder: string;
  /** Free disk space that must remain beside the copies. */
  readonly reserveMb: number;
  /** Called before each step: a step blocks the event loop and reports nothing while it runs. */
  readonly before: (step: string) => void;
}

/**
 * Applies pending migrations to copies of the databases, while the live writer goes on. The folder then has each
 * database under its name, as the release will find it: a migrated copy in WAL mode; or, when nothing was pending, a
 * symbolic link to the live file, through which SQLite sees each new commit. The caller removes the folder.
 *
 * @throws Failure migration_mismatch when a migration fails or does not fit, storage_full when there is no room for the
 *   copies, not_ready when the machine is the cause (such as an I/O error), file_exists when the folder is not empty;
 *   except for the last, no file is then left in the folder
 */
export function dryRun({ targets, folder, reserveMb, before }: DryRunOptions): DryRunResult {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).length > 0) throw new Failure('file_exists', `${folder} is not empty`);
  const tried = targets.map((target) => ({ ...target, pending: pendingOf(target) }));
  demandRoom(
    tried.flatMap(({ path, pending }) => (pending.length > 0 && existsSync(path) ? [path] : [])),
    folder,
    reserveMb,
  );
  try {
    const results = tried.map(({ database, path, owners, pending }) => {
      const copyPath = join(folder, `${database}.db`);
      if (pending.length === 0) {
        symlinkSync(path, copyPath);
        return [database, { applied: [], durationMs: 0 }] as const;
      }
      before(`copying ${database}`);
      if (existsSync(path)) copy(path, copyPath);
      const durationMs = apply(copyPath, owners, (name) => before(`migrating ${database} ${name}`));
      return [database, { applied: pending, durationMs }] as const;
    });
    return Object.fromEntries(results);
  } catch (error) {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { force: true });
    throw machineFailure('copying the databases', error) ?? error;
  }
}

function pendingOf({ path, owners }: DryRunTarget): readonly MigrationRef[] {
  const { pending, refusal } = compatibilityOf(path, owners);
  if (refusal !== undefined) throw new Failure('migration_mismatch', refusal);
  return pending;
}

function copy(path: string, copyPath: string): void {
  // Not openReader: its query_only pragma forbids VACUUM INTO, though that writes only the copy.
  const live = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    live.prepare('VACUUM INTO ?').run(copyPath);
  } finally {
    live.close();
  }
}

/** Migrates a database, opened as the writer opens it. @returns how long that took, in milliseconds */
function apply(path: string, owners: readonly Owner[], before: (name: string) => void): number {
  const db = openWriter(path);
  try {
    const startMs = performance.now();
    migrate(db, owners, before);
    return Math.round(performance.now() - startMs);
  } finally {
    db.close();
  }
}

/** Checked before the first copy begins: the live writer uses the same disk, and must not meet a full one. */
function demandRoom(paths: readonly string[], folder: string, reserveMb: number): void {
  if (paths.length === 0) return;
  const sizeBytes = paths.reduce((sum, path) => sum + sizeBytesOf(path), 0);
  const neededMb = Math.ceil((COPIES * sizeBytes) / MB) + reserveMb;
  const freeMb = freeDiskMb(folder);
  if (freeMb >= neededMb) return;
  const names = paths.map((path) => basename(path)).join(' and ');
  throw new Failure(
    'storage_full',
    `Trying the migrations on a copy of ${names} needs ${neededMb} MB in ${folder} (DISK_RESERVE_MB=${reserveMb} of them stay free), and ${freeMb} MB are free. Free some disk and reload again, or restart: a start migrates without a copy, and undoes everything when a migration fails.`,
  );
}

function sizeBytesOf(path: string): number {
  const live = openReader(path);
  try {
    const pageCount = live.pragma('page_count', { simple: true }) as number;
    const pageBytes = live.pragma('page_size', { simple: true }) as number;
    return pageCount * pageBytes;
  } finally {
    live.close();
  }
}
