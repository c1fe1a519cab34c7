import type { Config } from '../../config/config.ts';
import { Failure } from '../../platform/errors.ts';
import { openReader } from '../../sqlite/open.ts';
import type { ReplicaFormat } from '../binary.ts';
import { lostSince, readRecorded } from '../lease/recorded.ts';
import { databasePath } from '../litestream-config.ts';
import {
  ACTIONS,
  type Facts,
  isOfBeginning,
  isOfOlderRelease,
  judge,
  NEEDS_NEW_GENERATION,
  type ReplicaFacts,
  type Verdict,
} from './cases.ts';
import { isCopied } from './copied.ts';
import { examine, examineLtx, type Names } from './examine.ts';
import { explain, type Subject } from './explain.ts';
import { type Abandoned, type History, historyOf } from './history.ts';
import { type HistoryMark, machineId } from './mark.ts';
import { unmountedReason } from './mount.ts';
import { ReplicaListing } from './replica-listing.ts';
import { type RestoreGenerationsOptions, restoreGenerations, scratchPath } from './restore-generations.ts';
import { readSidecar, type Sidecar } from './sidecar.ts';

export interface SettleOptions extends RestoreGenerationsOptions {
  /** What is remembered; undefined when nothing is. */
  readonly mark: HistoryMark | undefined;
  /** Inode of the database's file. */
  readonly inode: number;
}

/** What to do with a database, and what a person should know of it. */
export interface Settlement {
  /** `wait`: the database serves, and nothing is added to the replica before the two have been compared. */
  readonly action: 'go-on' | 'restore' | 'wait';
  /** Undefined where all is plain. */
  readonly notice: string | undefined;
  readonly database: History;
  /** All generations in the replica; undefined where they are not known. */
  readonly generations: readonly string[] | undefined;
  /** The replica does not hold exactly what was uploaded from here, so a new generation has to begin. */
  readonly isReplicaBroken: boolean;
  /** The checked file to put in the database's place, and its history. */
  readonly restored: { readonly path: string; readonly history: History } | undefined;
}

/**
 * Compares a sound database with its mark and its replica, and decides by the table in cases.ts. It changes nothing but
 * the scratch folder.
 *
 * @throws Failure history_unsettled where a person has to decide, replica_unreachable where it has to wait for the
 *   replica, not_ready when aborted
 */
export async function settle(database: string, options: SettleOptions): Promise<Settlement> {
  const { config, mark } = options;
  const path = databasePath(config.DATA_DIR, database);
  const here = readHere(path, mark?.databases[database]?.abandoned ?? [], options.binary.format);
  const { history, sidecar } = here;
  const replica = await look(database, here, options);
  const known = mark?.databases[database];
  // Only a takeover has a mirror. Another system has led since, so that its replica is ahead again is no sign of
  // trouble here.
  const isTakeover = options.mirrorDir !== undefined;
  const facts: Facts = {
    database: history,
    mark: known && isTakeover ? { ...known, restored: undefined } : known,
    isMarkOfThis: mark?.machineId === machineId() && known?.inode === options.inode,
    isReplicaOfMark: mark?.replicaUrl === config.replica.url,
    hasSidecar: sidecar !== undefined,
    isBehindSidecar: sidecar?.isContained === false && mark?.isFinal !== true,
    replica: 'silence' in replica ? undefined : replica.facts,
  };
  const verdict = judge(facts);
  const subject: Subject = {
    database,
    path,
    replicaUrl: config.replica.url,
    silence: 'silence' in replica ? replica.silence : undefined,
    previousUrl: mark?.replicaUrl,
    isTakeover,
  };
  const explained = explain(verdict, facts, subject);
  // The text of the case `behind` names the missing commits already.
  const isToAsk = facts.replica !== undefined && !verdict.cases.includes('behind');
  const lost = isToAsk ? await lostOf(database, verdict.candidate?.history ?? history, options) : undefined;
  const notice = [explained, lost].filter((text) => text !== undefined).join(' ') || undefined;
  const action = refuseOr(verdict, notice, isTakeover ? 'auto' : config.HEAL);
  const { candidate } = verdict;
  const restored =
    action === 'restore' && candidate
      ? { path: scratchPath(database, candidate.generation, options.scratchDir), history: candidate.history }
      : undefined;
  const generations = 'silence' in replica ? undefined : replica.generations;
  const isReplicaBroken = verdict.cases.some((each) => NEEDS_NEW_GENERATION.includes(each));
  return { action, notice, database: history, generations, isReplicaBroken, restored };
}

/** @returns which commits of the owner's record nothing here and in the replica has, for people; undefined if none */
async function lostOf(
  database: string,
  left: History,
  { config, env, mark }: SettleOptions,
): Promise<string | undefined> {
  // Commits of a release without sessions cannot be told from others.
  if (isOfOlderRelease(left)) return undefined;
  const lost = lostSince(await readRecorded(config, env, database), left, mark?.databases[database]);
  return lost && `The replica ${config.replica.url} of the database ${database} has lost a part: ${lost}.`;
}

/** @returns what may be done. @throws Failure */
function refuseOr(
  { cases: [decisive] }: Verdict,
  notice: string | undefined,
  heal: Config['HEAL'],
): Settlement['action'] {
  const action = ACTIONS[decisive];
  if (action === 'try-again') throw new Failure('replica_unreachable', notice ?? '');
  if (action === 'refuse') throw new Failure('history_unsettled', notice ?? '');
  if (action === 'restore' && heal === 'manual')
    throw new Failure('history_unsettled', `${notice} HEAL=manual: nothing was changed.`);
  return action;
}

interface Here {
  readonly history: History;
  readonly sidecar: Sidecar | undefined;
}

function readHere(path: string, remembered: readonly Abandoned[], format: ReplicaFormat): Here {
  const db = openReader(path);
  try {
    const history = db.transaction(() => historyOf(db)).deferred();
    const abandoned = [...history.abandoned, ...remembered];
    return { history: { ...history, abandoned }, sidecar: readSidecar(db, format) };
  } finally {
    db.close();
  }
}

type Look =
  | { readonly facts: ReplicaFacts; readonly generations: readonly string[] }
  | { readonly silence: string };

/** Reads the names in the replica, and restores the generations that they leave in doubt. */
async function look(database: string, here: Here, options: SettleOptions): Promise<Look> {
  const unmounted = unmountedReason(options.mark, options.config.replica);
  if (unmounted !== undefined) return { silence: unmounted };
  try {
    const names = await namesOf(database, here, options);
    const { candidates: restored, unreadable } = await restoreGenerations(database, names.doubtful, options);
    const known = options.mark?.databases[database];
    // A generation from before the database was begun anew has no commit that it should have.
    const candidates = restored.filter(({ history }) => !known || isOfBeginning(history, known));
    const isEmpty = names.generations.length === 0;
    return {
      facts: { isEmpty, isShrunk: names.isShrunk, isApart: names.isApart, candidates, unreadable },
      generations: names.generations,
    };
  } catch (error) {
    if (error instanceof Failure && error.code === 'not_ready') throw error;
    return { silence: (error as Error).message };
  }
}

async function namesOf(database: string, { history, sidecar }: Here, options: SettleOptions): Promise<Names> {
  const { config, env, mark, binary } = options;
  const known = mark?.databases[database];
  const isSameReplica = mark?.replicaUrl === config.replica.url;
  const listing = new ReplicaListing({ config, database, env });
  if (known?.isBegunAnew && known.beginning === undefined) {
    return { generations: (await listing.states()).names, isShrunk: false, isApart: false, doubtful: [] };
  }
  return (binary.format === 'ltx' ? examineLtx : examine)({
    listing,
    database: history,
    mark: isSameReplica ? known : undefined,
    sidecar,
    isMarkFinal: mark?.isFinal === true,
    isCopied: (segment) => isCopied(segment, { ...options, database }, options.scratchDir),
  });
}
