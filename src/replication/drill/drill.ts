import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { type DatabaseDrill, type DrillResult, resultOf, withPast } from '../../messages/drill-result.ts';
import { Failure } from '../../platform/errors.ts';
import { databasePath } from '../litestream-config.ts';
import { clarified } from '../restore-failure.ts';
import { type Attempt, attempt } from './attempt.ts';
import type { DrillOptions } from './options.ts';
import { drillPast } from './past.ts';
import { drillDir } from './record.ts';
import { databaseSizeBytes, lackOfSpace } from './space.ts';

/**
 * How long a drill may keep the live database from beginning its WAL anew. A drill that needs longer fails. A private
 * copy to compare with is no way out: it would take as much disk again, and as long a read of the live database to
 * make.
 */
const SNAPSHOT_AGE_MAX_MS = 15 * 60_000;
const SPACE_WATCH_INTERVAL_MS = 1000;
/** One look may be disturbed by changes meanwhile; what two looks find is true. */
const LOOKS_MAX = 3;
/** After these failures another attempt does not help, or it was tried long enough. */
const FINAL = new Set<Failure['code']>(['replication_timeout', 'storage_full', 'drill_failed', 'not_ready']);
/** The failures that mean the replica itself is damaged. */
const DAMAGE = new Set<Failure['code']>(['replica_damaged', 'replica_empty']);

/**
 * Proves the replica: restores each database from it, checks the result, and compares its content with the live
 * database while writes go on. Only one drill may run at a time on a data folder. It leaves nothing behind, and removes
 * what a killed drill has left.
 *
 * @returns the result, which has all that went wrong; nothing is thrown
 */
export async function runDrill(options: DrillOptions): Promise<DrillResult> {
  const startMs = performance.now();
  const databases: Record<string, DatabaseDrill> = {};
  for (const database of options.databases) databases[database] = await drillDatabase(database, options);
  const result = () => resultOf(databases, Date.now(), Math.round(performance.now() - startMs));
  const { past, config, binary, signal } = options;
  // Litestream 0.5 has no segments that could be checked one by one.
  const isToDo = past !== undefined && binary.format === 'wal' && config.DRILL_MAX_MB > 0;
  if (!isToDo || !result().ok || signal?.aborted) return result();
  const proven = await drillPast(past, options, Math.random());
  return withPast(result(), proven);
}

async function drillDatabase(database: string, options: DrillOptions): Promise<DatabaseDrill> {
  const startMs = performance.now();
  const end = (wrong: string | Failure | undefined, done?: Attempt, moreSkipped = 0): DatabaseDrill => ({
    ok: wrong === undefined,
    reason: wrong instanceof Failure ? wrong.message : wrong,
    isDamaged: isDamage(wrong),
    durationMs: Math.round(performance.now() - startMs),
    restoredBytes: done?.restoredBytes ?? 0,
    rowsCompared: done?.rowsCompared ?? 0,
    rowsSkipped: (done?.rowsSkipped ?? 0) + moreSkipped,
  });
  try {
    let previous: Attempt | Failure | undefined;
    for (let look = 1; ; look += 1) {
      const found = await attemptOrFailure(database, options);
      if (!(found instanceof Failure) && isClean(found)) return end(undefined, found);
      const verdict = previous && verdictOf(previous, found);
      if (verdict) return end(verdict.wrong, verdict.last, verdict.excused);
      if (look === LOOKS_MAX) return found instanceof Failure ? end(found) : end(saidOf(found), found);
      options.log.info({ database }, `the drill of ${database} looks once more: ${saidOf(found)}`);
      previous = found;
    }
  } catch (error) {
    return end(error instanceof Failure ? error : `it broke off: ${(error as Error).message}`);
  }
}

function isDamage(wrong: string | Failure | undefined): boolean {
  const failure = clarified(wrong);
  return failure instanceof Failure && DAMAGE.has(failure.code);
}

interface Verdict {
  readonly wrong: string | Failure | undefined;
  readonly last: Attempt | undefined;
  /** Rows that seemed wrong by chance. */
  readonly excused: number;
}

/** @returns what two looks agree on; undefined when they cannot be compared */
function verdictOf(previous: Attempt | Failure, last: Attempt | Failure): Verdict | undefined {
  if (previous instanceof Failure || last instanceof Failure) {
    const areBoth = previous instanceof Failure && last instanceof Failure;
    return areBoth ? { wrong: last, last: undefined, excused: 0 } : undefined;
  }
  if (previous.isMigrating || last.isMigrating) return undefined;
  const confirmed = last.differences.confirmedBy(previous.differences);
  return { wrong: confirmed.describe(), last, excused: last.differences.count - confirmed.count };
}

function isClean({ differences, isMigrating }: Attempt): boolean {
  return differences.describe() === undefined && !isMigrating;
}

function saidOf(tried: Attempt | Failure): string {
  if (tried instanceof Failure) return tried.message;
  return tried.isMigrating ? 'the schema changed meanwhile' : (tried.differences.describe() ?? '');
}

/** @throws Failure of a FINAL code */
async function attemptOrFailure(database: string, options: DrillOptions): Promise<Attempt | Failure> {
  try {
    return await boundedAttempt(database, options);
  } catch (error) {
    if (error instanceof Failure && FINAL.has(error.code)) throw error;
    if (error instanceof Failure) return error;
    const { message } = error as Error;
    return new Failure('drill_failed', `the databases could not be compared: ${message}`, { cause: error });
  }
}

/** One attempt, aborted when the disk gets too full, or when it takes too long. */
async function boundedAttempt(database: string, options: DrillOptions): Promise<Attempt> {
  const { config, signal, snapshotAgeMaxMs = SNAPSHOT_AGE_MAX_MS } = options;
  const { DATA_DIR, DISK_RESERVE_MB } = config;
  const path = databasePath(DATA_DIR, database);
  if (!existsSync(path)) throw new Failure('drill_failed', `there is no ${path} to compare with`);
  const lack = lackOfSpace(DATA_DIR, databaseSizeBytes(path), DISK_RESERVE_MB);
  if (lack) throw new Failure('storage_full', `skipped: ${lack}`);

  const abort = new AbortController();
  const stop = new Failure('not_ready', 'it was stopped');
  const onStop = () => abort.abort(stop);
  signal?.addEventListener('abort', onStop, { once: true });
  if (signal?.aborted) onStop();
  const age = setTimeout(() => {
    const minutes = Math.round(snapshotAgeMaxMs / 60_000);
    abort.abort(
      new Failure(
        'drill_failed',
        `it took more than ${minutes} minutes, too long to keep the WAL from beginning anew`,
      ),
    );
  }, snapshotAgeMaxMs);
  const space = setInterval(() => {
    const lackNow = lackOfSpace(DATA_DIR, 0, DISK_RESERVE_MB);
    if (lackNow) abort.abort(new Failure('storage_full', `broken off: ${lackNow}`));
  }, SPACE_WATCH_INTERVAL_MS);
  const folder = drillDir(DATA_DIR);
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
    return await attempt(database, folder, options, abort.signal);
  } catch (error) {
    throw abort.signal.aborted ? abort.signal.reason : error;
  } finally {
    clearTimeout(age);
    clearInterval(space);
    signal?.removeEventListener('abort', onStop);
    rmSync(folder, { recursive: true, force: true });
  }
}
