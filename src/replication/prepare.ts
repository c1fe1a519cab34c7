import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Replica } from '../config/replica-url.ts';
import { Failure } from '../platform/errors.ts';
import { isDiskFull } from '../platform/free-disk.ts';
import { demandFile } from '../sqlite/data-dir.ts';
import { clearDamageMark, isDamageMarked } from './damage-mark.ts';
import { findDamage } from './database-check.ts';
import { beginAnew } from './history/begin-anew.ts';
import { removeOldLeftovers } from './history/cleanup.ts';
import { type HistoryMark, markPath, readMark, writeMark } from './history/mark.ts';
import { mountPointOf, unmountedReason } from './history/mount.ts';
import { nextMark } from './history/next-mark.ts';
import { finishReplacement } from './history/replace.ts';
import type { MarkChange } from './history/replacement.ts';
import { moveAside, traceOf } from './leftovers.ts';
import { databasePath } from './litestream-config.ts';
import { refuseOlderFormat } from './newer-format.ts';
import {
  fetchedPath,
  type Looking,
  type Made,
  type Prepared,
  type PrepareOptions,
  scratchDirOf,
} from './preparation.ts';
import { INSTRUCTIONS } from './prepare-advice.ts';
import { applySettled, installed, type Settled, settleWhole } from './put-in-place.ts';
import { type Restored, restoreDatabase } from './restore.ts';
import { withWayBack } from './restore-failure.ts';
import { replicaUnreachable } from './store/unreachable.ts';
import { misfitOf } from './wal-fit.ts';

export type { Prepared } from './preparation.ts';

const MIB_BYTES = 1024 * 1024;

/**
 * Makes sure that each database is there and sound before anything opens it. Nothing else may use the data folder
 * meanwhile. The rules for each database:
 * - There and sound: it stays as it is, if it fits its mark and its replica. history/cases.ts lists the other cases.
 * - Missing, or an empty file: it is restored. Where the replica is empty too, and nothing shows that there ever was a
 *   database, it is new. A replica that cannot be read stops the start, unless a person has decided to begin anew
 *   (begin-anew.ts).
 * - Damaged, or a file and a WAL of two moments: it is restored, and moved aside only when the restore has succeeded.
 *   Else the start stops and nothing is changed, so that the next one finds the same; ALLOW_EMPTY does not override
 *   that.
 *
 * If damage was found in use (`markDamage`), the databases are checked more closely. Files beside a database that is
 * restored or new (a WAL, Litestream's sidecar) are moved aside with it. The mark (`HistoryMark`) keeps the findings
 * for the primary and the next start.
 *
 * @throws Failure replica_unreachable, restore_failed, storage_corrupt, history_unsettled, litestream_missing (an older
 *   one than has written the replica), internal (a check could not be made), storage_full, or not_ready when aborted
 */
export async function prepareDatabases(options: PrepareOptions): Promise<Prepared[]> {
  const { DATA_DIR, replica } = options.config;
  if (!options.isServing) finishReplacement(DATA_DIR, replica.url);
  // Left by an earlier start that was killed: it is restored again, or not needed any more.
  rmSync(scratchDirOf(options), { recursive: true, force: true });
  const looking: Looking = {
    ...options,
    check: isDamageMarked(DATA_DIR) ? 'integrity_check' : 'quick_check',
    mark: readMark(DATA_DIR),
  };
  const looks = new Map(options.databases.map((database) => [database, lookAt(database, looking)]));
  // A failure is reported where its look is awaited; looks after the first failure are not awaited.
  for (const look of looks.values()) look.catch(() => {});
  const prepared: Prepared[] = [];
  const changes = new Map<string, MarkChange>();
  for (const database of options.databases) {
    const startMs = performance.now();
    const { outcome, movedTo, loss, notice, change } = await prepare(database, looks.get(database)!, looking);
    const durationMs = Math.round(performance.now() - startMs);
    const fields = { database, outcome, durationMs, ...(movedTo && { movedTo }), ...(loss && { loss }) };
    const text = `database ${database}: ${outcome} (${durationMs} ms)${loss ? `; ${loss}` : ''}`;
    options.log[movedTo ? 'warn' : 'info'](
      fields,
      movedTo ? `${text}; what was in its place is in ${movedTo}` : text,
    );
    if (notice) options.log.warn({ database }, notice);
    changes.set(database, change);
    prepared.push({ database, outcome, durationMs, movedTo, loss, notice });
  }
  // Removes copies that were restored only for the comparison.
  for (const name of namesIn(scratchDirOf(options)))
    rmSync(join(scratchDirOf(options), name), { recursive: true, force: true });
  const isRestored = prepared.some(({ outcome }) => outcome !== 'present');
  const notices = prepared.flatMap(({ notice }) => notice ?? []);
  // Read again: replacements have changed the mark meanwhile.
  const next = withMountPoint(
    nextMark(readMark(DATA_DIR), replica.url, changes, notices, Date.now()),
    replica,
  );
  // The notices of replacements, by this start or by a command before.
  for (const { text, isRecorded } of next.notices)
    if (!isRecorded && !notices.includes(text)) options.log.warn(text);
  try {
    writeMark(DATA_DIR, next, isRestored);
  } catch (err) {
    // After a restore the mark is needed. Without one the databases are unchanged, and serve with the mark as it was.
    if (isRestored || !isDiskFull(err)) throw err;
    options.log.warn({ err }, 'what is known of the databases could not be kept: the disk is full');
  }
  if (!options.isServing) {
    clearDamageMark(DATA_DIR);
    removeOldLeftovers(DATA_DIR, options.log);
  }
  return prepared;
}

/** Sets the replica's mount point, unless the mark still waits for the replica: then it may not be mounted. */
function withMountPoint(mark: HistoryMark, replica: Replica): HistoryMark {
  if (mark.waitsBecause !== undefined) return mark;
  return { ...mark, mountPoint: replica.type === 'file' ? mountPointOf(replica.path) : undefined };
}

/** Checks a database and compares it with its replica. All databases at once, since each look waits for I/O. */
async function lookAt(
  database: string,
  options: Looking,
): Promise<'missing' | { readonly damage: string } | Settled> {
  const { config, check, signal, isServing, isChecked } = options;
  const path = databasePath(config.DATA_DIR, database);
  const file = statSync(path, { throwIfNoEntry: false });
  if (file) demandFile(path);
  if (!file || file.size === 0) return 'missing';
  const found = isServing || isChecked ? undefined : await findDamage(path, signal, check);
  const damage = found ?? (isServing ? undefined : misfitOf(path));
  return damage === undefined ? settleWhole(database, options) : { damage };
}

async function prepare(database: string, look: ReturnType<typeof lookAt>, options: Looking): Promise<Made> {
  const { config, log } = options;
  const path = databasePath(config.DATA_DIR, database);
  const seen = await look;
  if (seen === 'missing') return restoreMissing(database, options);
  if ('settlement' in seen) return applySettled(database, seen, options);
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
  const known = options.mark?.databases[database];
  // An earlier start has decided to begin anew, and ended before it made the database.
  let isBegunAnew = known?.isBegunAnew === true && known.local === undefined;
  let fetched: Restored | undefined;
  try {
    if (!isBegunAnew) {
      fetched = await fetch(database, options);
      if (!fetched) refuseIfThereWasOne(database, options);
    }
  } catch (error) {
    if (!isAboutReplica(error)) throw error;
    // With a standby a system waits for the store: nobody leads while it is unreachable.
    if (config.FAILOVER === 'lease' && error.code === 'replica_unreachable') throw error;
    const open = beginAnew(config);
    if (open) throw explained(withWayBack(error), open.advice);
    isBegunAnew = true;
    log.warn(
      { database, code: error.code },
      `starting empty because of ALLOW_EMPTY=${config.ALLOW_EMPTY}: ${error.message}`,
    );
  }
  if (fetched) return installedWhole(database, fetched, options);
  const movedTo = moveAside(config.DATA_DIR, database, Date.now());
  return { outcome: 'new', movedTo, change: { kind: 'new', isBegunAnew } };
}

async function replaceDamaged(database: string, path: string, options: Looking): Promise<Made> {
  const { replica } = options.config;
  const advice = `The damaged database is still ${path}, and nothing was changed. To start without it, move it and the files beside it away.`;
  let fetched: Restored | undefined;
  try {
    fetched = await fetch(database, options);
  } catch (error) {
    if (!isAboutReplica(error)) throw error;
    throw explained(
      withWayBack(error),
      `The database ${database} is damaged and cannot be replaced. ${advice}`,
    );
  }
  if (fetched) return installedWhole(database, fetched, options);
  throw new Failure(
    'storage_corrupt',
    `The database ${database} is damaged, and the replica ${replica.url} has no copy of it. ${advice}`,
  );
}

/** Puts a restored database in its place, and adds a notice of what is damaged in the replica. */
async function installedWhole(database: string, { faults }: Restored, options: Looking): Promise<Made> {
  const made = await installed(database, options);
  if (faults.length === 0) return made;
  const { url } = options.config.replica;
  const notice = `The replica ${url} of the database ${database} is damaged: ${faults.join('; ')}. What was restored has all that is before that.`;
  return { ...made, notice: made.notice === undefined ? notice : `${made.notice} ${notice}` };
}

function refuseIfThereWasOne(database: string, { config: { DATA_DIR, replica }, mark }: Looking): void {
  const isRemembered = mark?.databases[database]?.local !== undefined;
  const trace = traceOf(DATA_DIR, database) ?? (isRemembered ? markPath(DATA_DIR) : undefined);
  if (!trace) return;
  throw new Failure(
    'storage_corrupt',
    `The database ${database} is missing and the replica ${replica.url} has none, but ${trace} shows that there was one. Check DATA_DIR and REPLICA_URL.`,
  );
}

/** Restores into the scratch folder, and logs the progress. */
async function fetch(database: string, options: Looking): Promise<Restored | undefined> {
  const { config, log } = options;
  const unmounted = unmountedReason(options.mark, config.replica);
  if (unmounted !== undefined) throw replicaUnreachable(config.replica, unmounted);
  log.info(
    { database, replica: config.replica.url },
    `looking for database ${database} in ${config.replica.url}`,
  );
  await refuseOlderFormat({ ...options, database });
  return restoreDatabase({
    // With the same `check`: a copy with the same damage must be found out.
    ...options,
    database,
    mark: options.mark?.databases[database],
    outputPath: fetchedPath(database, config.DATA_DIR),
    scratchDir: scratchDirOf(options),
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

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function isAboutReplica(error: unknown): error is Failure {
  return (
    error instanceof Failure &&
    ['replica_unreachable', 'restore_failed', 'storage_corrupt'].includes(error.code)
  );
}

function explained(failure: Failure, advice: string): Failure {
  return new Failure(failure.code, `${failure.message.replace(/[.]?$/, '.')} ${advice}`, { cause: failure });
}
