import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Failure } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { LitestreamBinary } from './binary.ts';
import type { Check } from './check-here.ts';
import { findDamage } from './database-check.ts';
import { isFileReplicaEmpty } from './file-replica.ts';
import { syncToDisk } from './files.ts';
import { configArguments } from './litestream.ts';
import type { LitestreamLine } from './log-line.ts';
import { redactor } from './redact.ts';
import type { Replica } from './replica-url.ts';
import { reasonIn, replicaUnreachable, restoreFailure } from './restore-failure.ts';
import { type RestoreEnd, type RestoreProgress, runRestore } from './restore-process.ts';

/**
 * How long a restore may stand still. A store that answers sends something at all times; Litestream itself would
 * wait for ever for one that took the connection and says nothing.
 */
export const STALL_TIMEOUT_MS = 2 * 60_000;

/** What Litestream 0.3.13 dies of when the newest snapshot is newer than every WAL segment in the replica. */
const NO_WAL_AFTER_SNAPSHOT = 'makechan: size out of range';
const NO_SNAPSHOT = 'no snapshots available';

/** The newest state of a generation that the replica had at a time, or its newest of all. */
export interface Selection {
  readonly generation: string;
  /** Milliseconds since the epoch, on the store's clock. */
  readonly timestampMs: number | undefined;
}

export interface RestoreOptions {
  readonly binary: LitestreamBinary;
  /** What `writeLitestreamConfig` returned. */
  readonly configPath: string;
  /** The database as the configuration names it, `DATA_DIR/<name>.db`. It is not touched. */
  readonly databasePath: string;
  readonly replica: Replica;
  /** Where the restored database goes. Must not exist, nor anything beside it under its name. */
  readonly outputPath: string;
  /** A folder for work in progress, on the output's file system; made if it does not exist. */
  readonly scratchDir: string;
  /** What `litestreamEnv` returned. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** What of the replica; its newest state without. */
  readonly selection?: Selection | undefined;
  /** How the result is checked; integrity_check also holds the indexes against their tables, and takes longer. */
  readonly check?: Check | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called about once a second. */
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined;
  readonly stallTimeoutMs?: number | undefined;
}

/**
 * Restores a database from its replica. The output appears whole, checked and on disk, or not at all.
 *
 * @returns `empty` when the replica can be reached and has nothing of this database, or nothing that was selected
 * @throws Failure replica_unreachable, restore_failed (the replica is damaged), storage_full, not_ready (aborted)
 */
export async function restoreDatabase(options: RestoreOptions): Promise<'restored' | 'empty'> {
  const { databasePath, replica, outputPath, scratchDir, selection, check, signal } = options;
  const database = basename(databasePath, '.db');
  refuseToOverwrite(outputPath);
  if (replica.type === 'file' && isFileReplicaEmpty(replica, database)) return 'empty';

  mkdirSync(scratchDir, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(scratchDir, `${database}-`));
  const scratchPath = join(folder, `${database}.db`);
  try {
    if (!(await fetchInto(folder, scratchPath, database, options))) {
      if (replica.type === 's3' || selection) return 'empty';
      throw new Failure(
        'restore_failed',
        `The replica ${replica.url} has files of the database ${database}, but nothing that can be restored`,
      );
    }
    const damage = await findDamage(scratchPath, signal, check);
    if (damage) {
      throw new Failure(
        'restore_failed',
        `The database ${database} as restored from ${replica.url} is damaged: ${damage}`,
      );
    }
    syncToDisk(scratchPath);
    refuseToOverwrite(outputPath);
    renameSync(scratchPath, outputPath);
    syncToDisk(dirname(outputPath));
    return 'restored';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function refuseToOverwrite(path: string): void {
  if (existsSync(path)) throw new Failure('restore_failed', `${path} exists; a restore never overwrites`);
}

/** @returns whether the replica had anything */
async function fetchInto(
  folder: string,
  scratchPath: string,
  database: string,
  options: RestoreOptions,
): Promise<boolean> {
  const { binary, configPath, databasePath, replica, env, log, stallTimeoutMs = STALL_TIMEOUT_MS } = options;
  const secrets = [env.AWS_ACCESS_KEY_ID ?? '', env.AWS_SECRET_ACCESS_KEY ?? ''];
  const run = (selection: readonly string[]): Promise<RestoreEnd> =>
    runRestore({
      binaryPath: binary.path,
      args: [...selection, '-o', scratchPath, ...configArguments(configPath), databasePath],
      env,
      folder,
      stallTimeoutMs,
      signal: options.signal,
      redact: redactor(secrets),
      onProgress: options.onProgress,
    });

  let end = await run(['-if-replica-exists', ...selectionArguments(binary, options.selection)]);
  const isTimed = options.selection?.timestampMs !== undefined;
  if (isTimed && end.outcome === 'failed' && isBeforeAnything(end.lines)) return false;
  const older = end.outcome === 'failed' ? beforeNewestSnapshot(end.lines) : undefined;
  if (older) {
    log.warn({ database }, `restoring ${database} from before its newest snapshot, which has no WAL`);
    rmSync(folder, { recursive: true });
    mkdirSync(folder, { mode: 0o700 });
    end = await run(older);
  }
  if (end.outcome === 'aborted') throw new Failure('not_ready', 'Stopped while restoring');
  if (end.outcome === 'stalled') {
    throw replicaUnreachable(replica, `nothing came from it for ${stallTimeoutMs / 1000} s`);
  }
  if (end.outcome === 'failed') throw restoreFailure(database, replica, reasonIn(end.lines));
  return existsSync(scratchPath);
}

function selectionArguments({ format }: LitestreamBinary, selection: Selection | undefined): string[] {
  if (!selection) return [];
  const { generation, timestampMs } = selection;
  const timed = timestampMs === undefined ? [] : ['-timestamp', new Date(timestampMs).toISOString()];
  return [...(format === 'wal' ? ['-generation', generation] : []), ...timed];
}

/** At the time that was selected the generation had no snapshot yet, or no WAL behind it. */
function isBeforeAnything(lines: readonly LitestreamLine[]): boolean {
  const texts = lines.map(({ message, fields }) => `${message} ${fields.error ?? ''}`);
  return texts.some((text) => text.includes(NO_SNAPSHOT) || text.includes(NO_WAL_AFTER_SNAPSHOT));
}

/**
 * The machine was lost between a periodic snapshot and the upload of the WAL that follows it. Everything up to that
 * WAL is there, in the snapshot before and its WALs.
 */
function beforeNewestSnapshot(lines: readonly LitestreamLine[]): string[] | undefined {
  if (!lines.some(({ message }) => message.includes(NO_WAL_AFTER_SNAPSHOT))) return undefined;
  const start = lines.find(({ message }) => message === 'restoring wal files');
  const generation = start?.fields.generation;
  const index = start?.fields.index_max;
  if (typeof generation !== 'string' || typeof index !== 'number') return undefined;
  return ['-generation', generation, '-index', index.toString(16).padStart(8, '0')];
}
