import { closeSync, constants, copyFileSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { Failure } from '../../platform/errors.ts';
import { isDiskFull } from '../../platform/free-disk.ts';
import { findDamage } from '../database-check.ts';
import { type Abandoned, abandons, contains, readHistory, relate } from '../history/history.ts';
import { framesOf } from '../wal.ts';
import { type WalRun, walRunsOf } from './wal-runs.ts';

export interface SalvageOptions {
  /** A restored database in one file, which gets the commits. */
  readonly restoredPath: string;
  /** The database that it will replace, which may be damaged or missing. The WALs beside it are only read. */
  readonly databasePath: string;
  /** Commits that were given up. */
  readonly abandoned: readonly Abandoned[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Adds to a restored database the commits that the replica lacks and that the WALs of the previous database still hold.
 * A WAL holds whole pages with checksums, so it is sound even beside a damaged database file. A WAL is applied only
 * after a commit at which the restored database equals, page by page, what the WALs say. So another history, or a gap,
 * is refused.
 *
 * @returns how many commits were added
 * @throws Failure storage_full, or not_ready when aborted
 */
export async function salvage(options: SalvageOptions): Promise<number> {
  const { restoredPath, databasePath, abandoned, signal } = options;
  const before = readHistory(restoredPath);
  removeBeside(restoredPath);
  const trialPath = `${restoredPath}.salvage`;
  try {
    let isTried = false;
    for (const run of walRunsOf(databasePath)) {
      const rest = beyond(isTried ? trialPath : restoredPath, run);
      if (rest.length === 0) continue;
      if (!isTried) copyFileSync(restoredPath, trialPath, constants.COPYFILE_FICLONE);
      isTried = true;
      for (const { path } of rest) applyWal(path, trialPath);
    }
    if (!isTried) return 0;
    if ((await findDamage(trialPath, signal, 'integrity_check')) !== undefined) return 0;
    const after = readHistory(trialPath);
    removeBeside(trialPath);
    const isAhead = contains(after, before.last) && relate(after, before) === 'ahead';
    if (!isAhead || abandons({ abandoned }, after.last)) return 0;
    renameSync(trialPath, restoredPath);
    return (after.last?.ordinal ?? 0) - (before.last?.ordinal ?? 0);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new Failure(
      'storage_full',
      `There is no room to take what the WAL of ${databasePath} still holds and the replica lacks. Nothing was changed: make room, and start again.`,
      { cause: error },
    );
  } finally {
    rmSync(trialPath, { force: true });
    removeBeside(trialPath);
  }
}

/**
 * Finds the last commit in a run at which the database equals the run: every page that the run has written up to there
 * is in the database with the same bytes.
 *
 * @param path a database in one file
 * @returns the WALs to apply, from the one with that commit on; none when there is no such commit, or nothing after it
 */
function beyond(path: string, run: WalRun): WalRun {
  const { pageBytes } = run[0]!;
  const file = openSync(path, 'r');
  try {
    const page = Buffer.alloc(pageBytes);
    const different = new Set<number>();
    let found: { readonly place: number; readonly commit: number } | undefined;
    let commits = 0;
    for (const [place, wal] of run.entries()) {
      for (const frame of framesOf(wal.path)) {
        const isThere = readSync(file, page, 0, pageBytes, (frame.page - 1) * pageBytes) === pageBytes;
        if (isThere && page.equals(frame.image)) different.delete(frame.page);
        else different.add(frame.page);
        if (!frame.isCommit) continue;
        commits += 1;
        if (different.size === 0) found = { place, commit: commits };
      }
    }
    return found === undefined || found.commit === commits ? [] : run.slice(found.place);
  } finally {
    closeSync(file);
  }
}

/** Applies a WAL to a database in one file. SQLite itself reads the WAL, up to the last sound commit. */
export function applyWal(walPath: string, path: string): void {
  removeBeside(path);
  copyFileSync(walPath, `${path}-wal`);
  const db = new Sqlite(path, { fileMustExist: true });
  try {
    db.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    db.close();
  }
}

/** Removes the files that reading leaves: after the next copy they would belong to another database. */
function removeBeside(path: string): void {
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
}
