import {
  abandons,
  commonEnd,
  contains,
  type History,
  lastAbandonedIn,
  type Position,
  relate,
} from './history.ts';
import type { DatabaseMark } from './mark.ts';

/**
 * What a database, what was told of it and the replica can be to each other at a start:
 *
 * | case            | when                                                                  | action           |
 * | --------------- | --------------------------------------------------------------------- | ---------------- |
 * | plain           | it has all that was told, and all that the replica has                | go on            |
 * | behind          | it lacks what was told, and the replica does not have that either     | go on, tell      |
 * | replica-changed | the replica is another one than before; the database has all of it    | go on with a new generation, tell |
 * | replica-emptied | nothing is left of what was in the replica                            | the same         |
 * | replica-shrunk  | the newest that was uploaded is gone, and older is there              | the same         |
 * | replica-apart   | Litestream's generation was gone on with, and the database has all of its commits | the same |
 * | sidecar-gone    | Litestream's files are missing: a new generation                      | go on, tell      |
 * | unanswered      | the replica has one commit more, which a writer was killed over; the database went on without | go on, tell |
 * | unreadable      | a generation that nobody knows cannot be restored                     | go on, tell      |
 * | replica-ahead   | the replica contains the database, and has more                       | restore, tell    |
 * | ahead-again     | it does, and so it was at the start before, which restored it         | refuse           |
 * | replica-wins    | each has what the other has not, and only the replica has what was told | restore, tell  |
 * | fork            | each has what the other has not                                       | refuse           |
 * | given-up        | it has commits that somebody decided to be without, and the replica has nothing to replace them | refuse |
 * | silent          | the replica cannot be compared; the database has all that was told    | serve, Litestream waits |
 * | silent-unknown  | it cannot, and what was told is not known, or not all there           | refuse, try again |
 *
 * Where it goes on, and the WAL was removed or cut, what Litestream's copy of that still has is put back first
 * (put-in-place.ts).
 *
 * Else, in a fork, the database never wins by itself: what the replica holds may have been acknowledged as replicated by
 * whoever put it there, so no side without it has all that was acknowledged.
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

/** The one action of each case. Of several cases at once the first that does not go on counts. */
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

/** Litestream would go on with a generation of which the replica lacks a part, and which nobody could restore. */
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
  /** Whether the mark is of this file and this machine; then what it tells is all that was told here. */
  readonly isMarkOfThis: boolean;
  readonly isReplicaOfMark: boolean;
  readonly hasSidecar: boolean;
  /** Whether it lacks what Litestream has copied from its WAL, after a stop that may have told less than that. */
  readonly isBehindSidecar: boolean;
  /** Undefined when the replica could not be compared. */
  readonly replica: ReplicaFacts | undefined;
}

export interface ReplicaFacts {
  readonly isEmpty: boolean;
  /** Whether what Litestream uploaded last is gone. */
  readonly isShrunk: boolean;
  /** Whether Litestream's generation was gone on with elsewhere, or before the folder was put back to an earlier moment. */
  readonly isApart: boolean;
  /** Of the generations that may have what the database has not. */
  readonly candidates: readonly Candidate[];
  /** Generations that may, and cannot be restored. */
  readonly unreadable: readonly string[];
}

export interface Verdict {
  /** Never empty. The first one decides. */
  readonly cases: readonly [Case, ...Case[]];
  /** What is to be restored, or what there is a fork with. */
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

/** A database without sessions is of a version that kept no mark. */
function isSafeAlone({ database, mark, isMarkOfThis, isBehindSidecar }: Facts): boolean {
  if (isOfOlderRelease(database) && mark === undefined) return true;
  // What is remembered is a second late after a kill.
  if (isGivenUp({ database, mark }) || isBehindSidecar) return false;
  return mark !== undefined && isMarkOfThis && missingOf(database, mark) === undefined;
}

/** @returns the decision where the replica has what the database has not; undefined where it has not */
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
 * A writer that is killed within a commit can leave it whole in the WAL, and in no index of it: the next writer goes on
 * without it, as nobody was told of it, while Litestream, which reads the WAL itself, may have uploaded it. It is one
 * commit, older than what the database went on with, at the end of the generation that was uploaded to from here.
 */
function isUnanswered(
  { database, mark, isMarkOfThis, isReplicaOfMark }: Facts,
  { generation, history }: Candidate,
): boolean {
  if (!mark || !isMarkOfThis || !isReplicaOfMark || missingOf(database, mark) !== undefined) return false;
  const beyond = (history.last?.ordinal ?? 0) - (commonEnd(database, history)?.ordinal ?? 0);
  return beyond === 1 && generation === mark.segment?.generation && history.lastAtMs <= database.lastAtMs;
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

/** @returns the newest commit that was told and that a history lacks; undefined when it has all */
export function missingOf(history: History, { local, replicated }: DatabaseMark): Position | undefined {
  return [local, replicated].find((told) => !contains(history, told) && !abandons(history, told));
}

/** @returns whether a history goes on from where the database was begun anew, if it ever was */
export function isOfBeginning({ last, sessions }: History, { beginning }: DatabaseMark): boolean {
  return (
    last === undefined || beginning === undefined || sessions.some(({ session }) => session === beginning)
  );
}

function isGivenUp({ database, mark }: Pick<Facts, 'database' | 'mark'>): boolean {
  return hasAbandoned(database) || (mark !== undefined && !isOfBeginning(database, mark));
}

/** @returns whether a history has commits that it was decided to be without: it is a copy of before that */
function hasAbandoned(history: History): boolean {
  return history.abandoned.some((each) => lastAbandonedIn(history, each) !== undefined);
}

/** @returns whether no activation of a writer with a session has committed to it */
export function isOfOlderRelease({ sessions, last }: History): boolean {
  return last === undefined || sessions.every(({ session }) => session.startsWith('older-'));
}
