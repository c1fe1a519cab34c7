import { renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { ToldCommit } from '../runtime/messages.ts';
import type { LitestreamBinary } from './binary.ts';
import type { Check } from './check-here.ts';
import { clearDamageMark, isDamageMarked } from './damage-mark.ts';
import { findDamage } from './database-check.ts';
import { syncToDisk } from './files.ts';
import { moveAside, traceOf } from './leftovers.ts';
import { databasePath } from './litestream-config.ts';
import { describeLoss, lossOf } from './loss.ts';
import { refuseOlderFormat } from './newer-format.ts';
import { INSTRUCTIONS } from './prepare-advice.ts';
import { restoreDatabase } from './restore.ts';

const MIB_BYTES = 1024 * 1024;

export interface PrepareOptions {
  readonly config: Config;
  readonly binary: LitestreamBinary;
  /** What `writeLitestreamConfig` returned. */
  readonly configPath: string;
  /** Names without `.db`. */
  readonly databases: readonly string[];
  /** What `litestreamEnv` returned. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  readonly signal?: AbortSignal;
  /** How long a restore may stand still. */
  readonly stallTimeoutMs?: number;
  /** The last commit that a writer has told of, by database; none when none has run. */
  readonly lastCommits?: Readonly<Record<string, ToldCommit>> | undefined;
}

/** How a database got ready to be opened. `new`: there is none yet, the writer makes it. */
export interface Prepared {
  readonly database: string;
  readonly outcome: 'present' | 'restored' | 'new';
  readonly durationMs: number;
  /** Where the files went that were in the way. */
  readonly movedTo?: string | undefined;
  /** Of a restored one: up to which commit, and which newer ones are lost; for people. */
  readonly loss?: string | undefined;
}

/**
 * Sees to it that each database is there and whole before anything opens it. Nobody else may use the data folder
 * meanwhile. The rules, for each:
 * - there and whole: it stays as it is.
 * - missing, or an empty file: restored; where the replica is empty too, and nothing shows that there ever was a
 *   database, it is new. A replica that cannot be read stops the start, unless ALLOW_EMPTY=1.
 * - damaged: restored, and only when that has succeeded, moved aside. Else the start stops and nothing has changed,
 *   so that the next one finds the same; ALLOW_EMPTY does not override that.
 * Where damage was found while they were used (`markDamage`), they are looked at more closely.
 * What is beside a database that is restored or new (a WAL, Litestream's sidecar) is moved aside with it.
 *
 * @throws Failure replica_unreachable, restore_failed, storage_corrupt, storage_full, or not_ready when aborted
 */
export async function prepareDatabases(options: PrepareOptions): Promise<Prepared[]> {
  // What an earlier start was killed over: restored again, or no longer wanted.
  rmSync(scratchDirOf(options), { recursive: true, force: true });
  const { DATA_DIR } = options.config;
  const looking: Looking = {
    ...options,
    check: isDamageMarked(DATA_DIR) ? 'integrity_check' : 'quick_check',
  };
  const looks = new Map(options.databases.map((database) => [database, lookAt(database, looking)]));
  // Whoever awaits one hears of its failure; those after a failure nobody awaits.
  for (const look of looks.values()) look.catch(() => {});
  const prepared: Prepared[] = [];
  for (const database of options.databases) {
    const startMs = performance.now();
    const { outcome, movedTo, loss } = await prepare(database, looks.get(database)!, looking);
    const durationMs = Math.round(performance.now() - startMs);
    const fields = { database, outcome, durationMs, ...(movedTo && { movedTo }), ...(loss && { loss }) };
    const text = `database ${database}: ${outcome} (${durationMs} ms)${loss ? `; ${loss}` : ''}`;
    options.log[movedTo ? 'warn' : 'info'](
      fields,
      movedTo ? `${text}; what was in its place is in ${movedTo}` : text,
    );
    prepared.push({ database, outcome, durationMs, movedTo, loss });
  }
  clearDamageMark(DATA_DIR);
  return prepared;
}

/** How closely the databases, and copies of them, are looked at. */
interface Looking extends PrepareOptions {
  readonly check: Check;
}

type Made = Pick<Prepared, 'outcome' | 'movedTo' | 'loss'>;

/** Looks at a database; all are looked at together, since each look is a process. */
async function lookAt(
  database: string,
  { config, check, signal }: Looking,
): Promise<'missing' | 'whole' | { readonly damage: string }> {
  const path = databasePath(config.DATA_DIR, database);
  const file = statSync(path, { throwIfNoEntry: false });
  if (file && !file.isFile()) throw new Failure('internal', `${path} is not a file`);
  if (!file || file.size === 0) return 'missing';
  const damage = await findDamage(path, signal, check);
  return damage === undefined ? 'whole' : { damage };
}

async function prepare(database: string, look: ReturnType<typeof lookAt>, options: Looking): Promise<Made> {
  const { config, log } = options;
  const path = databasePath(config.DATA_DIR, database);
  const seen = await look;
  if (seen === 'missing') return restoreMissing(database, options);
  if (seen === 'whole') return { outcome: 'present' };
  const { damage } = seen;
  log.error({ database, damage }, `database ${database} is damaged: ${damage}`);
  if (config.HEAL === 'manual') {
    throw new Failure(
      'storage_corrupt',
      `The database ${path} is damaged (${damage}), and HEAL=manual. Nothing was changed. ${INSTRUCTIONS}`,
    );
  }
  return replaceDamaged(database, path, options);
}

async function restoreMissing(database: string, options: Looking): Promise<Made> {
  const { config, log } = options;
  let fetched: 'restored' | 'empty' = 'empty';
  try {
    fetched = await fetch(database, options);
    if (fetched === 'empty') refuseIfThereWasOne(database, config);
  } catch (error) {
    if (!isAboutReplica(error)) throw error;
    if (!config.ALLOW_EMPTY) {
      throw explained(
        error,
        'To start with an empty database all the same, set ALLOW_EMPTY=1; what the replica holds is then deleted when its retention has passed.',
      );
    }
    log.warn({ database, code: error.code }, `starting empty because of ALLOW_EMPTY=1: ${error.message}`);
  }
  if (fetched === 'restored') return install(database, options);
  return { outcome: 'new', movedTo: moveAside(config.DATA_DIR, database, Date.now()) };
}

async function replaceDamaged(database: string, path: string, options: Looking): Promise<Made> {
  const { replica } = options.config;
  const advice = `The damaged database is still ${path}, and nothing was changed. To start without it, move it and the files beside it away.`;
  let fetched: 'restored' | 'empty';
  try {
    fetched = await fetch(database, options);
  } catch (error) {
    if (!isAboutReplica(error)) throw error;
    throw explained(error, `The database ${database} is damaged and cannot be replaced. ${advice}`);
  }
  if (fetched === 'restored') return install(database, options);
  throw new Failure(
    'storage_corrupt',
    `The database ${database} is damaged, and the replica ${replica.url} has no copy of it. ${advice}`,
  );
}

function refuseIfThereWasOne(database: string, { DATA_DIR, replica }: Config): void {
  const trace = traceOf(DATA_DIR, database);
  if (!trace) return;
  throw new Failure(
    'storage_corrupt',
    `The database ${database} is missing and the replica ${replica.url} has none, but ${trace} shows that there was one. Check DATA_DIR and REPLICA_URL.`,
  );
}

/** Restores into the scratch folder, telling about it. */
async function fetch(database: string, options: Looking): Promise<'restored' | 'empty'> {
  const { config, binary, configPath, check, env, log, signal, stallTimeoutMs } = options;
  log.info(
    { database, replica: config.replica.url },
    `looking for database ${database} in ${config.replica.url}`,
  );
  await refuseOlderFormat(binary, config, databasePath(config.DATA_DIR, database), env);
  return restoreDatabase({
    binary,
    configPath,
    databasePath: databasePath(config.DATA_DIR, database),
    replica: config.replica,
    outputPath: fetchedPath(database, config.DATA_DIR),
    scratchDir: scratchDirOf(options),
    env,
    log,
    // A copy that has the same damage is no cure.
    check,
    signal,
    stallTimeoutMs,
    onProgress: ({ sizeBytes, elapsedMs }) => {
      const sizeMiB = Math.round(sizeBytes / MIB_BYTES);
      const elapsedS = Math.round(elapsedMs / 1000);
      log.info(
        { database, sizeBytes, elapsedMs: Math.round(elapsedMs) },
        `restoring ${database}: ${sizeMiB} MiB in ${elapsedS} s`,
      );
    },
  });
}

/** Puts the restored database in its place. A crash in here leaves it missing, and the next start restores again. */
function install(database: string, { config, lastCommits }: PrepareOptions): Made {
  const dataDir = config.DATA_DIR;
  const path = databasePath(dataDir, database);
  const loss = lossOf(
    statSync(path, { throwIfNoEntry: false })?.size ? path : undefined,
    fetchedPath(database, dataDir),
    lastCommits?.[database],
  );
  // What reading it has left: beside a renamed database it would be another's.
  for (const suffix of ['-wal', '-shm']) rmSync(fetchedPath(database, dataDir) + suffix, { force: true });
  let movedTo: string | undefined;
  try {
    movedTo = moveAside(dataDir, database, Date.now());
    renameSync(fetchedPath(database, dataDir), path);
    syncToDisk(dataDir);
  } catch (error) {
    const where = movedTo ? `is in ${movedTo}` : `is in ${dataDir} or ${join(dataDir, 'damaged')}`;
    throw new Failure(
      'restore_failed',
      `The restored database ${database} could not be put in its place (${(error as Error).message}); what was there ${where}`,
      { cause: error },
    );
  }
  return { outcome: 'restored', movedTo, loss: describeLoss(loss) };
}

function scratchDirOf({ config }: PrepareOptions): string {
  return join(config.DATA_DIR, 'restore');
}

function fetchedPath(database: string, dataDir: string): string {
  return join(dataDir, 'restore', `${database}.db`);
}

function isAboutReplica(error: unknown): error is Failure {
  return (
    error instanceof Failure &&
    ['replica_unreachable', 'restore_failed', 'storage_corrupt'].includes(error.code)
  );
}

function explained(failure: Failure, advice: string): Failure {
  return new Failure(failure.code, `${failure.message} ${advice}`, { cause: failure });
}
