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
/** The copy, and what its migrations may write: a table that is rebuilt is in the WAL too, and then in the file twice. */
const COPIES = 3;

/** A database that is tried. */
export interface DryRunTarget {
  readonly database: string;
  /** The live file, only read. One that does not exist is made anew. */
  readonly path: string;
  /** Whose migrations it takes, in order. */
  readonly owners: readonly Owner[];
}

export interface DryRunOptions {
  readonly targets: readonly DryRunTarget[];
  /** Absolute; empty, or made with mode 0700. */
  readonly folder: string;
  /** Free disk that must be left beside the copies. */
  readonly reserveMb: number;
  /** Hears of each step before it: none says anything while it takes its time. */
  readonly before: (step: string) => void;
}

/**
 * Applies the migrations that databases lack to copies of them. The folder then has each database under its name, as the
 * release will find it: a copy, migrated, in WAL mode; or, where nothing was pending, a symbolic link to the live file,
 * which SQLite follows, so that who reads it there sees each commit. They stay, for whoever looks at them; the writer
 * that serves goes on meanwhile.
 *
 * @throws Failure migration_mismatch when one fails or does not fit, storage_full when there is no room for the copies,
 *   not_ready where the machine fails,
 *   file_exists when the folder is not empty; no file is then left in it
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
  // Not by openReader: its query_only forbids VACUUM INTO, which writes only the copy.
  const live = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    live.prepare('VACUUM INTO ?').run(copyPath);
  } finally {
    live.close();
  }
}

/** @returns how long it took, in milliseconds, opened as the writer opens it */
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

/** Checked before the first copy is begun: a disk that it fills is the disk of the writer that serves. */
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
