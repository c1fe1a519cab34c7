import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../../errors.ts';
import { syncToDisk } from '../files.ts';
import { type RestoreOptions, restoreDatabase, STALL_TIMEOUT_MS } from '../restore.ts';
import { attemptsFor, bytesToRead } from './attempts.ts';
import { clarified } from './clarified.ts';
import { type Generation, rangeOf } from './generations.ts';
import { type LastCommit, readLastCommit } from './last-commit.ts';
import { listGenerations } from './list.ts';
import { STAMP_RESOLUTION_MS, showStamp } from './stamp.ts';

/** How often a result that turns out later than asked for is tried again with an earlier time. */
const STEPS_BACK_MAX = 8;

export interface RestorePointOptions extends Omit<RestoreOptions, 'selection'> {
  /** The database's name. */
  readonly database: string;
  /** Milliseconds since the epoch; the newest state when undefined. */
  readonly atMs: number | undefined;
  /**
   * When the replica was last written, by any of its databases: one that nobody wrote to ends before. Its own end
   * when undefined.
   */
  readonly replicaEndMs?: number | undefined;
  /** Called when it is known about how many bytes of the replica will be read. */
  readonly onPlan?: ((totalBytes: number | undefined) => void) | undefined;
}

/** What a restore has reached. */
export interface Reached {
  /** Undefined for a database that does not count its commits. */
  readonly lastCommit: LastCommit | undefined;
  /** When the replica's store took the newest thing that it has of this database, in whole seconds. */
  readonly replicaEndMs: number;
}

/**
 * Restores a database as it was at a time: everything committed after it is left out, and of what was committed
 * shortly before it that which the replica did not have yet. The output appears whole, checked and on disk, or not
 * at all; a restore that is killed leaves its folder in `scratchDir`.
 *
 * @throws Failure replica_empty, restore_too_early, restore_too_late, replica_unreachable, replica_denied,
 *   bucket_missing, replica_damaged, file_exists, storage_full, not_ready (aborted)
 */
export async function restorePoint(options: RestorePointOptions): Promise<Reached> {
  const { database, outputPath, scratchDir } = options;
  refuseToOverwrite(outputPath);
  mkdirSync(scratchDir, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(scratchDir, `${database}-point-`));
  try {
    const stagedPath = join(folder, `${database}.db`);
    const reached = await restore({ ...options, outputPath: stagedPath, scratchDir: folder });
    refuseToOverwrite(outputPath);
    renameSync(stagedPath, outputPath);
    syncToDisk(dirname(outputPath));
    return reached;
  } catch (error) {
    throw error instanceof Failure ? clarified(error) : error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function refuseToOverwrite(path: string): void {
  if (existsSync(path)) throw new Failure('file_exists', `${path} exists, and a restore never overwrites`);
}

async function restore(options: RestorePointOptions): Promise<Reached> {
  const { database, replica, stallTimeoutMs = STALL_TIMEOUT_MS, atMs } = options;
  const generations = await listGenerations({ ...options, stallTimeoutMs });
  if (generations.length === 0) {
    // Litestream 0.5 lists only its own files, and restores those of 0.3 as well.
    const mayBeOlder = options.binary.format === 'ltx' && atMs === undefined;
    if (mayBeOlder && (await restoreDatabase(options)) === 'restored') {
      return { lastCommit: readLastCommit(options.outputPath), replicaEndMs: 0 };
    }
    throw new Failure('replica_empty', `The replica ${replica.url} has nothing of the database ${database}`);
  }
  const range = rangeOf(generations);
  if (!range) {
    throw new Failure(
      'replica_damaged',
      `The replica ${replica.url} has files of the database ${database}, but no snapshot that can be restored`,
    );
  }
  const { fromMs, toMs } = range;
  options.onPlan?.(bytesToRead(generations, atMs));
  if (atMs === undefined) {
    if ((await restoreDatabase(options)) === 'empty') throw vanished(options);
  } else {
    if (atMs < fromMs) throw tooEarly(options, atMs, fromMs);
    const endMs = Math.max(toMs, options.replicaEndMs ?? 0);
    if (atMs >= endMs + STAMP_RESOLUTION_MS) throw tooLate(options, atMs, endMs);
    await restoreAt(options, generations, atMs, fromMs);
  }
  return { lastCommit: readLastCommit(options.outputPath), replicaEndMs: toMs };
}

/**
 * The store's clock differs from this machine's, and may tell whole seconds only: so the result says itself whether
 * it is too late, and then an earlier time is tried.
 */
async function restoreAt(
  options: RestorePointOptions,
  generations: readonly Generation[],
  atMs: number,
  fromMs: number,
): Promise<void> {
  const { outputPath } = options;
  let timestampMs = atMs;
  for (let step = 0; step < STEPS_BACK_MAX; step += 1) {
    if (!(await restoreFirstOf(options, generations, timestampMs))) throw tooEarly(options, atMs, fromMs);
    const reachedMs = readLastCommit(outputPath)?.atMs ?? 0;
    if (reachedMs <= atMs) return;
    for (const suffix of ['', '-wal', '-shm']) rmSync(outputPath + suffix, { force: true });
    timestampMs -= reachedMs - atMs + STAMP_RESOLUTION_MS * 2 ** step;
  }
  throw tooEarly(options, atMs, fromMs);
}

/** @returns whether any of what there is to try for this time could be restored */
async function restoreFirstOf(
  options: RestorePointOptions,
  generations: readonly Generation[],
  timestampMs: number,
): Promise<boolean> {
  for (const selection of attemptsFor(generations, timestampMs)) {
    if ((await restoreDatabase({ ...options, selection })) === 'restored') return true;
  }
  return false;
}

function tooEarly({ replica, database }: RestorePointOptions, atMs: number, fromMs: number): Failure {
  return new Failure(
    'restore_too_early',
    `The replica ${replica.url} has the database ${database} from ${showStamp(fromMs)} on; there is no state of ${new Date(atMs).toISOString()} in it`,
  );
}

function tooLate({ replica, database }: RestorePointOptions, atMs: number, endMs: number): Failure {
  return new Failure(
    'restore_too_late',
    `The replica ${replica.url} of the database ${database} ends at ${showStamp(endMs)}, and nobody knows from it what was committed until ${new Date(atMs).toISOString()}. Without --at its newest state is restored`,
  );
}

function vanished({ replica, database }: RestorePointOptions): Failure {
  return new Failure(
    'replica_damaged',
    `The replica ${replica.url} has files of the database ${database}, but nothing that can be restored`,
  );
}
