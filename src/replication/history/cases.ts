import {
  abandons,
  contains,
  type History,
  isOneOver,
  lastAbandonedIn,
  OLDER_SESSION_PREFIX,
  type Position,
  relate,
} from './history.ts';
import type { DatabaseMark } from './mark.ts';

/**
 * The cases at a start: how a database, its mark and the replica relate to each other. "Told" are the commits up to
 * those that the mark names (mark.ts): they were made, and may have been acknowledged.
 *
 * | case            | when                                                                  | action           |
 * | --------------- | --------------------------------------------------------------------- | ---------------- |
 * | plain           | the database has all that was told, and all that the replica has      | go on            |
 * | behind          | the database lacks commits that were told, and so does the replica    | go on, tell      |
 * | replica-changed | the replica is another one; the database has all of it | go on with a new generation, tell |
 * | replica-emptied | the replica held this database, and holds nothing of it any more      | the same         |
 * | replica-shrunk  | the newest upload is gone from the replica, older ones are there      | the same         |
 * | replica-apart   | Litestream's generation was extended elsewhere; the database has all of its commits | the same |
 * | sidecar-gone    | Litestream's files are missing: a new generation                      | go on, tell      |
 * | unanswered      | the replica has one commit more, in which a writer was killed         | go on, tell      |
 * | unreadable      | a generation that the mark does not know cannot be restored           | go on, tell      |
 * | replica-ahead   | the replica contains the database, and has more                       | restore, tell    |
 * | ahead-again     | the same, and the start before restored the database for it already   | refuse           |
 * | replica-wins    | each has commits that the other lacks; only the replica has what was told | restore, tell |
 * | fork            | each has commits that the other lacks                                 | refuse           |
 * | given-up        | the database has commits that were given up; the replica has nothing to replace them | refuse |
 * | silent          | the replica cannot be compared; the database has all that was told    | serve, Litestream waits |
 * | silent-unknown  | the replica cannot be compared; what was told is unknown, or not all there | refuse, try again |
 *
 * Where the action is to go on, and the WAL was removed or cut, put-in-place.ts first puts back what Litestream's copy
 * of the WAL still has.
 *
 * Otherwise the database never wins a fork by itself: another system may have acknowledged as replicated what the
 * replica holds, so a side without that lacks acknowledged commits.
 */
export type Case =
  | 'plain'
  | 'behind'
  | 'replica-changed'
  | 'replica-emptied'
  | 'replica-shrunk'
  | 'replica-apart'
  | 'sidecar-gone'
  | 'unanswered'
  | 'unreadable'
  | 'replica-ahead'
  | 'ahead-again'
  | 'replica-wins'
  | 'fork'
  | 'given-up'
  | 'silent'
  | 'silent-unknown';

export type Action = 'go-on' | 'restore' | 'refuse' | 'wait' | 'try-again';

/** The one action of each case. Where several cases hold at once, each of them goes on. */
export const ACTIONS: Readonly<Record<Case, Action>> = {
  plain: 'go-on',
  behind: 'go-on',
  'replica-changed': 'go-on',
  'replica-emptied': 'go-on',
  'replica-shrunk': 'go-on',
  'replica-apart': 'go-on',
  'sidecar-gone': 'go-on',
  unanswered: 'go-on',
  unreadable: 'go-on',
  'replica-ahead': 'restore',
  'ahead-again': 'refuse',
  'replica-wins': 'restore',
  fork: 'refuse',
  'given-up': 'refuse',
  silent: 'wait',
  'silent-unknown': 'try-again',
};

/** In these cases Litestream must not continue its generation: with a part missing in the replica no restore works. */
export const NEEDS_NEW_GENERATION: readonly Case[] = [
  'replica-changed',
  'replica-emptied',
  'replica-shrunk',
  'replica-apart',
];

/** A generation that was restored to be compared. */
export interface Candidate {
  readonly generation: string;
  readonly history: History;
}

/** What is known of one database at a start. */
export interface Facts {
  readonly database: History;
  /** Undefined where nothing is remembered. */
  readonly mark: DatabaseMark | undefined;
  /** Whether the mark was written for this file on this machine; then it names all that was told here. */
  readonly isMarkOfThis: boolean;
  readonly isReplicaOfMark: boolean;
  readonly hasSidecar: boolean;
  /** Whether the database lacks a part of Litestream's copy of its WAL, after an unclean stop: the mark may be old. */
  readonly isBehindSidecar: boolean;
  /** Undefined when the replica could not be compared. */
  readonly replica: ReplicaFacts | undefined;
}

export interface ReplicaFacts {
  readonly isEmpty: boolean;
  /** Whether Litestream's newest upload is gone. */
  readonly isShrunk: boolean;
  /** Whether Litestream's generation was extended elsewhere, or from here before the folder was put back in time. */
  readonly isApart: boolean;
  /** The restored generations that may have commits that the database lacks. */
  readonly candidates: readonly Candidate[];
  /** Generations that may have such commits, but cannot be restored. */
  readonly unreadable: readonly string[];
}

export interface Verdict {
  /** Never empty. The first one decides. */
  readonly cases: readonly [Case, ...Case[]];
  /** The generation to restore, or the other side of the fork. */
  readonly candidate: Candidate | undefined;
}

/** @returns in which cases a database is */
export function judge(facts: Facts): Verdict {
  const { replica } = facts;
  if (!replica) return { cases: [isSafeAlone(facts) ? 'silent' : 'silent-unknown'], candidate: undefined };
  const verdict = compared(facts, replica.candidates);
  if (verdict) return verdict;
  const cases: Verdict['cases'] = isGivenUp(facts) ? ['given-up'] : whileGoingOn(facts, replica);
  return { cases, candidate: undefined };
}

/** Whether the database has all that was told, judged without the replica. Releases without sessions kept no mark. */
function isSafeAlone({ database, mark, isMarkOfThis, isBehindSidecar }: Facts): boolean {
  if (isOfOlderRelease(database) && mark === undefined) return true;
  // After a kill the mark may be a second old, and Litestream's files may know of more.
  if (isGivenUp({ database, mark }) || isBehindSidecar) return false;
  return mark !== undefined && isMarkOfThis && missingOf(database, mark) === undefined;
}

/** @returns the verdict where the replica has commits that the database lacks; undefined where it has none */
function compared(facts: Facts, candidates: readonly Candidate[]): Verdict | undefined {
  const { database, mark } = facts;
  const beyond = candidates.filter(({ history }) => ['behind', 'fork'].includes(relate(database, history)));
  if (beyond.length === 0) return undefined;
  const best = beyond.find((one) =>
    beyond.every(({ history }) => ['equal', 'ahead'].includes(relate(one.history, history))),
  );
  if (!best) return { cases: ['fork'], candidate: beyond[0] };
  if (relate(best.history, database) === 'ahead') {
    const isAgain = mark?.restored !== undefined && contains(best.history, mark.restored);
    return { cases: [isAgain ? 'ahead-again' : 'replica-ahead'], candidate: best };
  }
  if (isUnanswered(facts, best)) return { cases: ['unanswered'], candidate: best };
  const isWinner =
    mark?.local !== undefined &&
    missingOf(best.history, mark) === undefined &&
    missingOf(database, mark) !== undefined;
  return { cases: [isWinner ? 'replica-wins' : 'fork'], candidate: best };
}

/**
 * A writer that is killed within a commit can leave it whole in the WAL, but not in the WAL index. The next writer goes
 * on without it, which is right: nobody was told of it. Litestream reads the WAL itself and may have uploaded it. Such
 * a commit is the only one more, is older than the database's last, and ends the generation that was uploaded from
 * here.
 */
function isUnanswered(
  { database, mark, isMarkOfThis, isReplicaOfMark }: Facts,
  { generation, history }: Candidate,
): boolean {
  if (!mark || !isMarkOfThis || !isReplicaOfMark || missingOf(database, mark) !== undefined) return false;
  return isOneOver(database, history) && generation === mark.segment?.generation;
}

function whileGoingOn(
  facts: Facts,
  { isEmpty, isShrunk, isApart, unreadable }: ReplicaFacts,
): Verdict['cases'] {
  const { database, mark, isReplicaOfMark, hasSidecar } = facts;
  const wasReplicated = mark?.segment !== undefined || mark?.replicated !== undefined;
  const cases: Case[] = [];
  if (mark && missingOf(database, mark)) cases.push('behind');
  if (mark && !isReplicaOfMark) cases.push('replica-changed');
  else if (wasReplicated && isEmpty) cases.push('replica-emptied');
  else if (isShrunk) cases.push('replica-shrunk');
  else if (isApart) cases.push('replica-apart');
  else if (mark?.segment && !hasSidecar) cases.push('sidecar-gone');
  if (unreadable.length > 0) cases.push('unreadable');
  const [first = 'plain', ...more] = cases;
  return [first, ...more];
}

/** @returns a commit that was told and that a history lacks, the local one first; undefined when it lacks none */
export function missingOf(history: History, { local, replicated }: DatabaseMark): Position | undefined {
  return [local, replicated].find((told) => !contains(history, told) && !abandons(history, told));
}

/** @returns whether a history continues the database as it was begun anew; true where it never was */
export function isOfBeginning({ last, sessions }: History, { beginning }: DatabaseMark): boolean {
  return (
    last === undefined || beginning === undefined || sessions.some(({ session }) => session === beginning)
  );
}

function isGivenUp({ database, mark }: Pick<Facts, 'database' | 'mark'>): boolean {
  return hasAbandoned(database) || (mark !== undefined && !isOfBeginning(database, mark));
}

/** @returns whether a history has commits that were given up: then it is a copy from before that decision */
function hasAbandoned(history: History): boolean {
  return history.abandoned.some((each) => lastAbandonedIn(history, each) !== undefined);
}

/** @returns whether only writers of releases without sessions have committed to a database */
export function isOfOlderRelease({ sessions, last }: History): boolean {
  return last === undefined || sessions.every(({ session }) => session.startsWith(OLDER_SESSION_PREFIX));
}
