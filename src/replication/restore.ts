import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import { makeFolder } from '../platform/folder.js';
import { isDiskFull } from '../platform/free-disk.ts';
import type { Check } from './check-here.ts';
import { findDamage } from './database-check.ts';
import { syncToDisk } from './files.ts';
import { type Position, readHistory } from './history/history.ts';
import type { DatabaseMark } from './history/mark.ts';
import { PATIENT_TIMEOUT_MS } from './lease/open-store.ts';
import { lostSince, readRecorded } from './lease/recorded.ts';
import type { LitestreamLine } from './log-line.ts';
import type { DatabaseReplica } from './replica-context.ts';
import type { CommitRow } from './restore/commit-row.ts';
import { localFiles } from './restore/local-files.ts';
import { restoreNewest } from './restore/newest.ts';
import { type GenerationFiles, listReplicaFiles } from './restore/replica-files.ts';
import { restoreFromWals, type WalRestoreOptions } from './restore/wal-restore.ts';
import { noSpace, restoreFailure } from './restore-failure.ts';
import { type RestoreProgress, runRestore } from './restore-run.ts';
import { isFileReplicaEmpty } from './store/file-replica.ts';

const PROGRESS_INTERVAL_MS = 1000;

/** Litestream 0.5's message when the replica does not reach back so far. */
const NO_SNAPSHOT = 'no snapshots available';

/** The state of a replica to restore. */
export interface Selection {
  /** Undefined where there is only one, or any will do. */
  readonly generation?: string | undefined;
  /** Restores no later commit; milliseconds since the epoch. Litestream 0.5 takes it on the store's clock. */
  readonly atMs?: number | undefined;
  /** Restores from the oldest snapshot, up to the next one. */
  readonly isFromOldest?: boolean | undefined;
}

/** The result of a restore. */
export interface Restored {
  /** Undefined where the replica has no generations. */
  readonly generation: string | undefined;
  /** The parts of the replica that could not be used, for people. The database ends before them, or does without. */
  readonly faults: readonly string[];
  /** The first commit that was left out because it is later than `atMs`; undefined where none is known. */
  readonly next: CommitRow | undefined;
}

/** The live database is not touched. */
export interface RestoreOptions extends DatabaseReplica {
  /** Where the restored database goes. There must be no such file, nor its WAL or `-shm`. */
  readonly outputPath: string;
  /** A folder for work in progress, on the output's file system; made if it does not exist. */
  readonly scratchDir: string;
  /** The state to restore; the newest by default. */
  readonly selection?: Selection | undefined;
  /** The mark of the database; it decides between generations where else only times would. */
  readonly mark?: DatabaseMark | undefined;
  /** How the result is checked; integrity_check also compares indexes with their tables, and takes longer. */
  readonly check?: Check | undefined;
  /** Called about once a second. */
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
}

/**
 * Restores a database from its replica. The output appears whole, checked and on disk, or not at all. Files of
 * Litestream 0.3 are checked piece by piece before they are applied: the restored database ends before the first
 * missing or damaged piece.
 *
 * @returns undefined when the replica can be reached and has nothing of this database, or nothing that was selected
 * @throws Failure replica_unreachable, restore_failed (the replica is damaged), storage_full, file_exists, internal
 *   (the result could not be checked), not_ready (aborted)
 */
export async function restoreDatabase(options: RestoreOptions): Promise<Restored | undefined> {
  const { binary, database, outputPath, scratchDir, config, env, selection, mark, log } = options;
  refuseToOverwrite(outputPath);
  makeFolder(scratchDir);
  const folder = mkdtempSync(join(scratchDir, `${database}-`));
  const scratchPath = join(folder, 'out', `${database}.db`);
  mkdirSync(dirname(scratchPath), { mode: 0o700 });
  try {
    // The record is read before the replica: a running system extends both, so the replica then has all that it names.
    const recorded = selection ? undefined : await readRecorded(config, env, database, PATIENT_TIMEOUT_MS);
    const restored =
      binary.format === 'ltx'
        ? await fetchLtx(scratchPath, options)
        : await fetchWal(folder, scratchPath, options, recorded);
    if (!restored && recorded && recorded.ordinal > 0) throw emptied(options, recorded.ordinal);
    if (!restored) return undefined;
    const lost = lostSince(recorded, readHistory(scratchPath), mark);
    const faults = lost === undefined ? restored.faults : [...restored.faults, lost];
    for (const fault of faults) log.warn({ database }, `the replica of ${database}: ${fault}`);
    // Reading leaves these files. After the database is renamed, they must not be taken for another's.
    for (const suffix of ['-wal', '-shm']) rmSync(scratchPath + suffix, { force: true });
    syncToDisk(scratchPath);
    refuseToOverwrite(outputPath);
    renameSync(scratchPath, outputPath);
    syncToDisk(dirname(outputPath));
    return { ...restored, faults };
  } catch (error) {
    throw isDiskFull(error) ? noSpace(database, (error as Error).message) : error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function emptied({ config, database, mirrorDir }: RestoreOptions, ordinal: number): Failure {
  const mirror = mirrorDir !== undefined && existsSync(join(mirrorDir, database)) ? mirrorDir : undefined;
  const left = mirror ? ` What this standby has mirrored of it is in ${mirror}: copy that there.` : '';
  return new Failure(
    'restore_failed',
    `The replica ${config.replica.url} has nothing of the database ${database} any more, though its owner's record names commits up to ${ordinal} as replicated.${left}`,
  );
}

function refuseToOverwrite(path: string): void {
  if (existsSync(path)) throw new Failure('file_exists', `${path} exists, and a restore never overwrites`);
}

async function fetchWal(
  folder: string,
  scratchPath: string,
  options: RestoreOptions,
  recorded: Position | undefined,
): Promise<Restored | undefined> {
  const { config, database, selection, check = 'quick_check', onProgress } = options;
  const { generations } = await listReplicaFiles(options);
  const wanted = selection?.generation;
  const whole = selection?.atMs === undefined && !selection?.isFromOldest;
  const generation =
    wanted === undefined ? newestOf(generations) : generations.find(({ name }) => name === wanted);
  if (!generation) return wanted === undefined ? nothingIn(config, database) : undefined;
  const startMs = performance.now();
  let gotBytes = 0;
  const progress = setInterval(() => {
    const elapsedMs = performance.now() - startMs;
    if (gotBytes > 0) onProgress?.({ sizeBytes: gotBytes, elapsedMs, readBytes: gotBytes, wals: undefined });
  }, PROGRESS_INTERVAL_MS);
  const files = localFiles(options, join(folder, 'mirror'), (sizeBytes) => {
    gotBytes += sizeBytes;
  });
  try {
    const walOptions: WalRestoreOptions = {
      ...options,
      files,
      folder,
      outputPath: scratchPath,
      check,
      atMs: selection?.atMs,
      isFromOldest: selection?.isFromOldest ?? false,
      run: (configPath, outputPath) => {
        clearInterval(progress);
        return runRestore(
          { args: ['-o', outputPath], folder: dirname(outputPath), onProgress },
          { ...options, configPath },
        );
      },
    };
    return await (wanted === undefined && whole
      ? restoreNewest(generations, { mark: options.mark, recorded }, walOptions)
      : restoreFromWals(generation, walOptions));
  } finally {
    clearInterval(progress);
  }
}

function newestOf(generations: readonly GenerationFiles[]): GenerationFiles | undefined {
  return generations.toSorted((a, b) => b.storedMs - a.storedMs)[0];
}

/** @throws Failure restore_failed when the replica has files of the database, but nothing that can be restored */
function nothingIn({ replica }: Config, database: string): undefined {
  if (replica.type === 's3' || isFileReplicaEmpty(replica, database)) return undefined;
  throw new Failure(
    'restore_failed',
    `The replica ${replica.url} has files of the database ${database}, but nothing that can be restored`,
  );
}

async function fetchLtx(scratchPath: string, options: RestoreOptions): Promise<Restored | undefined> {
  const { config, database, selection, signal, check, onProgress } = options;
  const { replica } = config;
  if (replica.type === 'file' && isFileReplicaEmpty(replica, database)) return undefined;
  const atMs = selection?.atMs;
  const timed = atMs === undefined ? [] : ['-timestamp', new Date(atMs).toISOString()];
  const args = ['-if-replica-exists', ...timed, '-o', scratchPath];
  const end = await runRestore({ args, folder: dirname(scratchPath), onProgress }, options);
  if (!end.isDone) {
    if (atMs !== undefined && isBeforeAnything(end.lines)) return undefined;
    throw await restoreFailure(options, end);
  }
  if (!existsSync(scratchPath)) {
    return selection ? undefined : nothingIn(config, database);
  }
  const damage = await findDamage(scratchPath, signal, check);
  if (damage) {
    throw new Failure(
      'restore_failed',
      `The database ${database} as restored from ${replica.url} is damaged: ${damage}`,
    );
  }
  return { generation: undefined, faults: [], next: undefined };
}

/** Whether there was no snapshot yet at the selected time. */
function isBeforeAnything(lines: readonly LitestreamLine[]): boolean {
  return lines.some(({ message, fields }) => `${message} ${fields.error ?? ''}`.includes(NO_SNAPSHOT));
}
