import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ToldCommit } from '../messages/messages.ts';
import { Failure } from '../platform/errors.ts';
import { abandons, type Position, readHistory } from './history/history.ts';
import { type DatabaseMark, readMark } from './history/mark.ts';
import { replaceDatabases, replacedFolder } from './history/replace.ts';
import type { MarkChange } from './history/replacement.ts';
import { ReplicaListing } from './history/replica-listing.ts';
import { type Settlement, settle } from './history/settle.ts';
import { removeSidecar } from './history/sidecar.ts';
import { damagedFolder, fileTime } from './leftovers.ts';
import { databasePath } from './litestream-config.ts';
import { describeLoss, type Loss, lossOf, lostCount } from './loss.ts';
import { fetchedPath, type Looking, type Made, scratchDirOf } from './preparation.ts';
import { salvage } from './salvage/salvage.ts';
import { copyWithShadow } from './salvage/with-shadow.ts';

/** A sound database, and what is to be done with it. */
export interface Settled {
  readonly inode: number;
  readonly settlement: Settlement;
}

/** Compares a sound database with its mark and its replica. @throws Failure as `settle` */
export async function settleWhole(database: string, options: Looking): Promise<Settled> {
  const { ino: inode } = statSync(databasePath(options.config.DATA_DIR, database));
  const settlement = await settle(database, { ...options, inode, scratchDir: scratchDirOf(options) });
  return { inode, settlement };
}

/** Does what was settled: replaces the database by a state that is ahead of it, if there is one. */
export async function applySettled(
  database: string,
  { inode, settlement }: Settled,
  options: Looking,
): Promise<Made> {
  const { config, isServing } = options;
  const { notice, restored, generations } = settlement;
  if (!restored) {
    const made = await recovered(database, settlement, options);
    if (made) return made;
    const change = changeBy(settlement, inode);
    // Litestream must begin a new generation: its present one has a gap in the replica, or may have one.
    if (settlement.isReplicaBroken) removeSidecar(config.DATA_DIR, database);
    if (change.kind === 'waits') options.log.warn({ database }, change.because);
    return { outcome: 'present', notice: change.kind === 'waits' ? undefined : notice, change };
  }
  if (isServing) throw new Failure('history_unsettled', `${notice} The next start does that.`);
  const folder = replacedFolder(config.DATA_DIR, fileTime(Date.now()));
  const made = await installed(database, options, {
    from: restored.path,
    isBecauseAhead: true,
    generations,
    folder,
  });
  return { ...made, notice: notice && `${notice} What was there is in ${made.movedTo}.` };
}

/**
 * Replaces the database by a copy that also has the commits that only Litestream's copies of its WAL still have.
 * @returns undefined where there are no such commits
 */
async function recovered(
  database: string,
  { action, notice, generations }: Settlement,
  options: Looking,
): Promise<Made | undefined> {
  const { config, isServing, mark, signal } = options;
  if (action !== 'go-on' || isServing || config.HEAL === 'manual') return undefined;
  const path = databasePath(config.DATA_DIR, database);
  const from = join(scratchDirOf(options), `${database}-recovered`, `${database}.db`);
  const { abandoned, last } = readHistory(path);
  const givenUp = [...abandoned, ...(mark?.databases[database]?.abandoned ?? [])];
  if (!(await copyWithShadow({ databasePath: path, copyPath: from, abandoned: givenUp, signal })))
    return undefined;
  const commits = `${(last?.ordinal ?? 0) + 1} to ${readHistory(from).last?.ordinal}`;
  const folder = replacedFolder(config.DATA_DIR, fileTime(Date.now()));
  const made = await installed(database, options, { from, isBecauseAhead: false, generations, folder });
  const told = `The WAL of the database ${database} was removed or cut. Litestream's copy of it still had commits ${commits}, which no replica has: they are back. What was there is in ${made.movedTo}.`;
  return { ...made, notice: notice === undefined ? told : `${notice} ${told}` };
}

function changeBy(settlement: Settlement, inode: number): MarkChange {
  const { action, notice, database, generations = [], isReplicaBroken } = settlement;
  if (action === 'wait') return { kind: 'waits', because: notice ?? '' };
  return { kind: 'compared', inode, history: database, generations, isReplicaBroken };
}

interface Source {
  readonly from: string;
  readonly isBecauseAhead: boolean;
  /** All generations in the replica; undefined where they were not listed. */
  readonly generations: readonly string[] | undefined;
  /** For the replaced files. */
  readonly folder: string;
}

/**
 * Puts a restored database in its place. Adds the commits that only the WALs there still hold, and keeps in the mark
 * which commits were given up.
 *
 * @param source of the restored database; by default the scratch folder
 * @throws Failure history_unsettled where too many commits, or abandoned ones, are concerned; storage_full,
 *   restore_failed, or not_ready when aborted
 */
export async function installed(database: string, options: Looking, source?: Source): Promise<Made> {
  const { config, lastCommits, signal } = options;
  const { DATA_DIR, replica } = config;
  const nowMs = Date.now();
  const {
    from = fetchedPath(database, DATA_DIR),
    isBecauseAhead = false,
    generations = await generationsOf(database, options),
    folder = damagedFolder(DATA_DIR, database, nowMs),
  } = source ?? {};
  const path = databasePath(DATA_DIR, database);
  const mark = readMark(DATA_DIR)?.databases[database];
  const told = lastCommits?.[database] ?? rememberedOf(mark);
  const salvaged = await salvage({
    restoredPath: from,
    databasePath: path,
    abandoned: mark?.abandoned ?? [],
    signal,
  });
  const loss = lossOf(statSync(path, { throwIfNoEntry: false })?.size ? path : undefined, from, told);
  const cut = readHistory(from);
  if (mark?.abandoned && abandons({ abandoned: mark.abandoned }, cut.last))
    throw abandonedAgain(database, options);
  if (lostCount(loss) > config.HEAL_MAX_LOST_COMMITS) throw tooMuchLost(database, path, loss, config);
  // Reading leaves these files. After the database is renamed, they must not be taken for another's.
  for (const suffix of ['-wal', '-shm']) rmSync(from + suffix, { force: true });
  const kind = isBecauseAhead ? 'settle' : 'heal';
  const decision = { kind, cut, dismissed: [], decidedBy: 'start', atMs: nowMs } as const;
  const [change] = replaceDatabases(DATA_DIR, replica.url, [
    { database, from, folder, decision, told: positionOf(told), generations, isBecauseAhead },
  ]) as [MarkChange];
  return {
    outcome: 'restored',
    movedTo: existsSync(folder) ? folder : undefined,
    loss: describeLoss(loss, salvaged),
    change,
  };
}

function positionOf(told: ToldCommit | undefined): Position | undefined {
  return told?.session === undefined ? undefined : { session: told.session, ordinal: told.ordinal };
}

function abandonedAgain(database: string, { config: { replica } }: Looking): Failure {
  return new Failure(
    'history_unsettled',
    `The newest that ${replica.url} has of the database ${database} are commits that it was decided to be without. Nothing was changed. To choose what comes in its place: npm run restore -- --list, and npm run restore -- --in-place --at TIME.`,
  );
}

function tooMuchLost(database: string, path: string, loss: Loss, config: Looking['config']): Failure {
  const { replica, HEAL_MAX_LOST_COMMITS } = config;
  return new Failure(
    'history_unsettled',
    `The database ${path} has to be replaced, and what ${replica.url} has of it lacks more than HEAL_MAX_LOST_COMMITS=${HEAL_MAX_LOST_COMMITS}: ${describeLoss(loss)}. Nothing was changed. To go on without those commits: start once with HEAL_MAX_LOST_COMMITS=${lostCount(loss)}; what is here is kept in damaged/. To choose another state: npm run restore -- --list, and npm run restore -- --in-place --at TIME. If another replica has more of ${database}: set REPLICA_URL to it.`,
  );
}

function rememberedOf(mark: DatabaseMark | undefined): ToldCommit | undefined {
  return mark?.local && { ...mark.local, isFinal: false };
}

/** @returns the generations in the replica; if they cannot be listed now none, so that the next start compares them */
async function generationsOf(database: string, { config, env }: Looking): Promise<readonly string[]> {
  const listing = new ReplicaListing({ config, database, env });
  return listing.states().then(
    ({ names }) => names,
    () => [],
  );
}
