import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../../platform/errors.ts';
import { syncToDisk } from '../files.ts';
import { readHistory, relate } from '../history/history.ts';
import { type Restored, type RestoreOptions, restoreDatabase } from '../restore.ts';
import { clarified, withWayBack } from '../restore-failure.ts';
import { attemptsFor, bytesToRead } from './attempts.ts';
import { type Generation, listGenerations, rangeOf } from './generations.ts';
import { type KnownEnd, lostOf, reaches } from './known-end.ts';
import { type LastCommit, readLastCommit } from './last-commit.ts';
import { STAMP_RESOLUTION_MS, showStamp } from './stamp.ts';

/** How often a restore with a result that is too late is repeated with an earlier time. */
const STEPS_BACK_MAX = 8;

export interface RestorePointOptions extends Omit<RestoreOptions, 'selection'> {
  /** Milliseconds since the epoch; the newest state when undefined. */
  readonly atMs: number | undefined;
  /**
   * When the replica of any database was last written to: the replica of an idle database ends earlier. Undefined: the
   * end of this database's replica counts.
   */
  readonly replicaEndMs?: number | undefined;
  /** Until when nothing more was committed after the end of the replica; undefined where that is not known. */
  readonly knownEnd?: KnownEnd | undefined;
  /** Called once with about how many bytes of the replica will be read. */
  readonly onPlan?: ((totalBytes: number | undefined) => void) | undefined;
}

/** The state that a restore has reached. */
export interface Reached extends Pick<Restored, 'faults' | 'next'> {
  /** Undefined for a database that does not count its commits. */
  readonly lastCommit: LastCommit | undefined;
  /** When the store took the newest object of this database, in whole seconds. */
  readonly replicaEndMs: number;
  /** Shows that nothing more was committed until `atMs`; undefined where the replica itself reaches that time. */
  readonly knownEnd: KnownEnd | undefined;
}

/**
 * Restores a database as it was at a time. It leaves out everything that was committed later, and commits shortly
 * before that time that the replica did not have yet. The output appears whole, checked and on disk, or not at all. A
 * restore that is killed leaves its folder in `scratchDir`.
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
    throw clarified(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function refuseToOverwrite(path: string): void {
  if (existsSync(path)) throw new Failure('file_exists', `${path} exists, and a restore never overwrites`);
}

async function restore(options: RestorePointOptions): Promise<Reached> {
  const { database, config, atMs } = options;
  const { url } = config.replica;
  const generations = await listGenerations(options);
  if (generations.length === 0) {
    // The list for Litestream 0.5 has only its own files, but it restores those of 0.3 as well.
    const mayBeOlder = options.binary.format === 'ltx' && atMs === undefined;
    const restored = mayBeOlder ? await restoreDatabase(options) : undefined;
    if (restored) return { ...reachedBy(restored, options), replicaEndMs: 0, knownEnd: undefined };
    throw new Failure('replica_empty', `The replica ${url} has nothing of the database ${database}`);
  }
  const range = rangeOf(generations);
  if (!range) {
    throw new Failure(
      'replica_damaged',
      `The replica ${url} has files of the database ${database}, but no snapshot that can be restored`,
    );
  }
  const { fromMs, toMs } = range;
  options.onPlan?.(bytesToRead(generations, atMs));
  let restored: Restored | undefined;
  let knownEnd: KnownEnd | undefined;
  if (atMs === undefined) {
    restored = await restoreDatabase(options).catch((error) => {
      throw error instanceof Failure ? withWayBack(error) : error;
    });
    if (!restored) throw vanished(options);
  } else {
    const endMs = Math.max(toMs, options.replicaEndMs ?? 0);
    if (atMs >= endMs + STAMP_RESOLUTION_MS) {
      knownEnd = options.knownEnd;
      const knownMs = Math.max(endMs, knownEnd?.untilMs ?? 0);
      if (atMs > knownMs) throw tooLate(options, atMs, knownMs);
    }
    const isLtx = options.binary.format === 'ltx';
    restored = await (isLtx ? restoreLtxAt : restoreWalAt)(options, generations, atMs);
    const last = restored && readLastCommit(options.outputPath);
    // What does not count its commits may be the rest of a database that does: a known last commit shows that.
    if (restored && !last && !isLtx && !knownEnd?.position) throw timeless(options);
    // For a database without a commit only the store's times tell since when it exists.
    if (!restored || (last?.ordinal === 0 && atMs < fromMs)) throw tooEarly(options, atMs, fromMs);
    if (knownEnd && !restored.next) restored = heldAgainst(knownEnd, restored, options, atMs, endMs);
  }
  return { ...reachedBy(restored, options), replicaEndMs: toMs, knownEnd };
}

/** @throws Failure restore_too_late where the replica does not have yet all that was committed by then */
function heldAgainst(
  knownEnd: KnownEnd,
  restored: Restored,
  options: RestorePointOptions,
  atMs: number,
  endMs: number,
): Restored {
  const history = readHistory(options.outputPath);
  if (reaches(history, knownEnd)) return restored;
  const lost = lostOf(history, knownEnd);
  if (lost === undefined) throw tooLate(options, atMs, endMs);
  return { ...restored, faults: [...restored.faults, lost] };
}

function reachedBy(
  { faults, next }: Restored,
  { outputPath }: RestorePointOptions,
): Omit<Reached, 'replicaEndMs' | 'knownEnd'> {
  return { lastCommit: readLastCommit(outputPath), faults, next };
}

/**
 * Restores the state at a time from Litestream 0.3. Times of objects, in whole seconds, only say which generation to
 * try first: what was committed in an outage of the store was stored after it. Where a generation ends before the time,
 * the next one may have more that is not later. A generation that cannot be used is reported, and the others are tried.
 * Those that seem too late are tried as well: the objects of a copied replica were all stored when it was copied.
 *
 * @param generations sorted by when they began; those that began in the same second in any order
 * @returns undefined when nothing is so old
 */
async function restoreWalAt(
  options: RestorePointOptions,
  generations: readonly Generation[],
  atMs: number,
): Promise<Restored | undefined> {
  const { outputPath } = options;
  const faults: string[] = [];
  let failure: Failure | undefined;
  const tryOne = async (generation: Generation | undefined, path: string) => {
    try {
      const selection = { generation: generation?.name, atMs };
      return await restoreDatabase({ ...options, outputPath: path, selection });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'restore_failed') throw error;
      failure = error;
      faults.push(error.message);
      return undefined;
    }
  };
  const first = generations.findLastIndex(({ fromMs }) => fromMs !== undefined && fromMs <= atMs);
  const begin = Math.max(0, first);
  let place = begin;
  let found: Restored | undefined;
  for (; place >= 0; place -= 1) {
    found = await tryOne(generations[place], outputPath);
    if (found) break;
  }
  if (!found && failure) throw failure;
  for (let later = begin + 1; !found && later < generations.length; later += 1) {
    found = await tryOne(generations[later], outputPath);
    if (found) place = later;
  }
  const startMs = generations[place]?.fromMs;
  const isWith = ({ fromMs }: Generation) => fromMs === startMs;
  const furtherPath = `${outputPath}.further`;
  for (const [later, generation] of generations.entries()) {
    if (!found || found.next) break;
    const isTried = later === place || (later > place && later <= begin);
    if (isTried || (later < place && !isWith(generation))) continue;
    const { name, snapshots } = generation;
    if (snapshots.length === 0) {
      faults.push(`the generation ${name} has no snapshot`);
      continue;
    }
    const before = faults.length;
    const further = await tryOne(generation, furtherPath);
    if (!further && (isWith(generation) || faults.length > before)) continue;
    if (!further) break;
    const isMore = relate(readHistory(furtherPath), readHistory(outputPath)) === 'ahead';
    for (const suffix of ['-wal', '-shm']) {
      for (const path of [outputPath, furtherPath]) rmSync(path + suffix, { force: true });
    }
    if (isMore) renameSync(furtherPath, outputPath);
    else rmSync(furtherPath);
    found = isMore ? further : { ...found, next: further.next };
  }
  return found && { ...found, faults: [...found.faults, ...faults] };
}

/**
 * Restores the state at a time from Litestream 0.5. The store's clock differs from this machine's, and may tell whole
 * seconds only. So the last commit of the result decides whether it is too late, and then an earlier time is tried.
 */
async function restoreLtxAt(
  options: RestorePointOptions,
  [generation]: readonly Generation[],
  atMs: number,
): Promise<Restored | undefined> {
  const { outputPath } = options;
  let timestampMs = atMs;
  for (let step = 0; generation && step < STEPS_BACK_MAX; step += 1) {
    let restored: Restored | undefined;
    for (const selection of attemptsFor(generation, timestampMs)) {
      restored ??= await restoreDatabase({ ...options, selection });
    }
    if (!restored) return undefined;
    const reachedMs = readLastCommit(outputPath)?.atMs ?? 0;
    if (reachedMs <= atMs) return restored;
    for (const suffix of ['', '-wal', '-shm']) rmSync(outputPath + suffix, { force: true });
    timestampMs -= reachedMs - atMs + STAMP_RESOLUTION_MS * 2 ** step;
  }
  return undefined;
}

function tooEarly(
  { config: { replica }, database }: RestorePointOptions,
  atMs: number,
  fromMs: number,
): Failure {
  return new Failure(
    'restore_too_early',
    `The replica ${replica.url} has the database ${database} from ${showStamp(fromMs)} on; there is no state of ${new Date(atMs).toISOString()} in it`,
  );
}

function timeless({ database }: RestorePointOptions): Failure {
  return new Failure(
    'restore_too_early',
    `What the replica has of the database ${database} for that time does not count its commits, so that no time can be found in it. Without --at its newest state is restored`,
  );
}

function tooLate(
  { config: { replica }, database }: RestorePointOptions,
  atMs: number,
  endMs: number,
): Failure {
  return new Failure(
    'restore_too_late',
    `The replica ${replica.url} of the database ${database} is known up to ${showStamp(endMs)}, and nobody knows from it what was committed until ${new Date(atMs).toISOString()}. Without --at its newest state is restored`,
  );
}

function vanished({ config: { replica }, database }: RestorePointOptions): Failure {
  return new Failure(
    'replica_damaged',
    `The replica ${replica.url} has files of the database ${database}, but nothing that can be restored`,
  );
}
