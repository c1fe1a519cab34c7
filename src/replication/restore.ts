import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import type { Logger } from '../log.ts';
import { shownNever } from '../secrets.ts';
import type { LitestreamBinary } from './binary.ts';
import type { Check } from './check-here.ts';
import { findDamage } from './database-check.ts';
import { syncToDisk } from './files.ts';
import { readHistory } from './history/history.ts';
import type { DatabaseMark } from './history/mark.ts';
import { lostSince, readRecorded } from './lease/recorded.ts';
import { configArguments } from './litestream.ts';
import type { LitestreamLine } from './log-line.ts';
import { redactor } from './redact.ts';
import type { CommitRow } from './restore/commit-row.ts';
import { localFiles } from './restore/local-files.ts';
import { restoreNewest } from './restore/newest.ts';
import { type GenerationFiles, listReplicaFiles } from './restore/replica-files.ts';
import { restoreFromWals, type WalRestoreOptions } from './restore/wal-restore.ts';
import { reasonIn, replicaUnreachable, restoreFailure } from './restore-failure.ts';
import { type RestoreEnd, type RestoreProgress, runRestore } from './restore-process.ts';
import { isFileReplicaEmpty } from './store/file-replica.ts';

/**
 * How long a restore may stand still. A store that answers sends something at all times; Litestream itself would
 * wait for ever for one that took the connection and says nothing.
 */
export const STALL_TIMEOUT_MS = 2 * 60_000;
const PROGRESS_INTERVAL_MS = 1000;

/** What Litestream 0.5 says when it has nothing so old. */
const NO_SNAPSHOT = 'no snapshots available';

/** What of a replica is restored; its newest state without. */
export interface Selection {
  /** Undefined where there is only one, or any will do. */
  readonly generation?: string | undefined;
  /** Nothing that was committed later; milliseconds since the epoch. Litestream 0.5 takes it on the store's clock. */
  readonly atMs?: number | undefined;
  /** From the oldest snapshot, up to the next one. */
  readonly isFromOldest?: boolean | undefined;
}

/** What came of a restore. */
export interface Restored {
  /** Undefined where the replica names none. */
  readonly generation: string | undefined;
  /** What of the replica could not be used, in words; the restored database ends before it, or does without it. */
  readonly faults: readonly string[];
  /** The first commit that was left out because it is later than asked for; undefined where none is known. */
  readonly next: CommitRow | undefined;
}

export interface RestoreOptions {
  readonly binary: LitestreamBinary;
  /** What `writeLitestreamConfig` returned. */
  readonly configPath: string;
  /** The database as the configuration names it, `DATA_DIR/<name>.db`. It is not touched. */
  readonly databasePath: string;
  readonly config: Config;
  /** Where the restored database goes. Must not exist, nor anything beside it under its name. */
  readonly outputPath: string;
  /** A folder for work in progress, on the output's file system; made if it does not exist. */
  readonly scratchDir: string;
  /** What `litestreamEnv` returned. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** What of the replica; its newest state without. */
  readonly selection?: Selection | undefined;
  /** What is remembered of the database; it settles what else only times would. */
  readonly mark?: DatabaseMark | undefined;
  /** How the result is checked; integrity_check also holds the indexes against their tables, and takes longer. */
  readonly check?: Check | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called about once a second. */
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  readonly stallTimeoutMs?: number | undefined;
}

/**
 * Restores a database from its replica. The output appears whole, checked and on disk, or not at all. What a Litestream of
 * version 0.3 has written is checked piece by piece before it is applied: where something is missing or damaged the
 * restored database ends before it.
 *
 * @returns undefined when the replica can be reached and has nothing of this database, or nothing that was selected
 * @throws Failure replica_unreachable, restore_failed (the replica is damaged), storage_full, not_ready (aborted)
 */
export async function restoreDatabase(options: RestoreOptions): Promise<Restored | undefined> {
  const { binary, databasePath, outputPath, scratchDir, config, env, selection, mark, log } = options;
  const database = basename(databasePath, '.db');
  refuseToOverwrite(outputPath);
  mkdirSync(scratchDir, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(scratchDir, `${database}-`));
  const scratchPath = join(folder, 'out', `${database}.db`);
  mkdirSync(dirname(scratchPath), { mode: 0o700 });
  try {
    // Before what it names: a system that runs goes on with both.
    const recorded = selection ? undefined : await readRecorded(config, env, database);
    const restored =
      binary.format === 'ltx'
        ? await fetchLtx(scratchPath, database, options)
        : await fetchWal(folder, scratchPath, database, options);
    if (!restored) return undefined;
    const lost = lostSince(recorded, readHistory(scratchPath), mark);
    const faults = lost === undefined ? restored.faults : [...restored.faults, lost];
    for (const fault of faults) log.warn({ database }, `the replica of ${database}: ${fault}`);
    // What reading it has left: beside a renamed database it would be another's.
    for (const suffix of ['-wal', '-shm']) rmSync(scratchPath + suffix, { force: true });
    syncToDisk(scratchPath);
    refuseToOverwrite(outputPath);
    renameSync(scratchPath, outputPath);
    syncToDisk(dirname(outputPath));
    return { ...restored, faults };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function refuseToOverwrite(path: string): void {
  if (existsSync(path)) throw new Failure('restore_failed', `${path} exists; a restore never overwrites`);
}

async function fetchWal(
  folder: string,
  scratchPath: string,
  database: string,
  options: RestoreOptions,
): Promise<Restored | undefined> {
  const { config, env, signal, selection, check = 'quick_check', onProgress } = options;
  const source = {
    config,
    database,
    env,
    signal,
    stallTimeoutMs: options.stallTimeoutMs ?? STALL_TIMEOUT_MS,
  };
  const generations = await listReplicaFiles(source);
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
  const files = localFiles(source, join(folder, 'mirror'), (sizeBytes) => {
    gotBytes += sizeBytes;
  });
  try {
    const walOptions: WalRestoreOptions = {
      ...source,
      files,
      folder,
      outputPath: scratchPath,
      check,
      atMs: selection?.atMs,
      isFromOldest: selection?.isFromOldest ?? false,
      run: (configPath, outputPath) => {
        clearInterval(progress);
        return runLitestream([], configPath, outputPath, options);
      },
    };
    return await (wanted === undefined && whole
      ? restoreNewest(generations, options.mark, walOptions)
      : restoreFromWals(generation, walOptions));
  } finally {
    clearInterval(progress);
  }
}

function newestOf(generations: readonly GenerationFiles[]): GenerationFiles | undefined {
  return generations.toSorted((a, b) => b.storedMs - a.storedMs)[0];
}

/** @throws Failure restore_failed when there is something, and nothing that can be restored */
function nothingIn({ replica }: Config, database: string): undefined {
  if (replica.type === 's3' || isFileReplicaEmpty(replica, database)) return undefined;
  throw new Failure(
    'restore_failed',
    `The replica ${replica.url} has files of the database ${database}, but nothing that can be restored`,
  );
}

async function fetchLtx(
  scratchPath: string,
  database: string,
  options: RestoreOptions,
): Promise<Restored | undefined> {
  const { configPath, config, selection, signal, check } = options;
  const { replica } = config;
  if (replica.type === 'file' && isFileReplicaEmpty(replica, database)) return undefined;
  const atMs = selection?.atMs;
  const timed = atMs === undefined ? [] : ['-timestamp', new Date(atMs).toISOString()];
  const end = await runLitestream(['-if-replica-exists', ...timed], configPath, scratchPath, options);
  if (end.outcome === 'failed') {
    if (atMs !== undefined && isBeforeAnything(end.lines)) return undefined;
    throw restoreFailure(database, replica, reasonIn(end.lines));
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

/** @throws Failure not_ready when aborted, replica_unreachable when it stands still */
async function runLitestream(
  more: readonly string[],
  configPath: string,
  outputPath: string,
  options: RestoreOptions,
): Promise<RestoreEnd> {
  const {
    binary,
    databasePath,
    config,
    env,
    stallTimeoutMs = STALL_TIMEOUT_MS,
    signal,
    onProgress,
  } = options;
  const end = await runRestore({
    binaryPath: binary.path,
    args: [...more, '-o', outputPath, ...configArguments(configPath), databasePath],
    env,
    folder: dirname(outputPath),
    stallTimeoutMs,
    signal,
    redact: redactor(shownNever(env)),
    onProgress,
  });
  if (end.outcome === 'aborted') throw new Failure('not_ready', 'Stopped while restoring');
  if (end.outcome === 'stalled') {
    throw replicaUnreachable(config.replica, `nothing came from it for ${stallTimeoutMs / 1000} s`);
  }
  return end;
}

/** At the time that was selected there was no snapshot yet. */
function isBeforeAnything(lines: readonly LitestreamLine[]): boolean {
  return lines.some(({ message, fields }) => `${message} ${fields.error ?? ''}`.includes(NO_SNAPSHOT));
}
