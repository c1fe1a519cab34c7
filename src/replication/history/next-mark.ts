import { isOfBeginning } from './cases.ts';
import { abandonedBy, stillAbandoned } from './decision.ts';
import { type Abandoned, contains, type History, NO_HISTORY } from './history.ts';
import { type DatabaseMark, emptyMark, type HistoryMark, newMark, type ToldPosition } from './mark.ts';
import type { MarkChange } from './replacement.ts';

/** Bounds the size of the file; the database has all abandoned commits. */
const ABANDONED_MAX = 1000;

/**
 * @param known the mark until now; undefined when there is none
 * @param changes by database
 * @param notices texts that a person should know of, for the events
 * @returns the new mark
 */
export function nextMark(
  known: HistoryMark | undefined,
  replicaUrl: string,
  changes: ReadonlyMap<string, MarkChange>,
  notices: readonly string[],
  nowMs: number,
): HistoryMark {
  const before = known ?? newMark(replicaUrl);
  const { waitsBecause: _, emptyId, ...rest } = before;
  const isBegunAnew = [...changes.values()].some((change) => change.kind === 'new' && change.isBegunAnew);
  const databases = { ...before.databases };
  const waits: string[] = [];
  for (const [database, change] of changes) {
    const next = nextOf(databases[database] ?? emptyMark(), change, before.replicaUrl === replicaUrl);
    if (change.kind === 'waits') waits.push(change.because);
    else databases[database] = next;
  }
  const added = notices.map((text) => ({ atMs: nowMs, text, isRecorded: false }));
  return {
    ...rest,
    // While a comparison waits, the mark still describes the previous replica.
    replicaUrl: waits.length === 0 ? replicaUrl : before.replicaUrl,
    databases,
    notices: [...before.notices, ...added],
    isFinal: false,
    ...(emptyId !== undefined && !isBegunAnew && { emptyId }),
    ...(waits.length > 0 && { waitsBecause: waits.join(' ') }),
  };
}

function nextOf(known: DatabaseMark, change: MarkChange, isSameReplica: boolean): DatabaseMark {
  if (change.kind === 'waits') return known;
  if (change.kind === 'new') {
    const givenUp = abandonedBy(NO_HISTORY, [known.local, known.replicated], NO_HISTORY);
    const abandoned = change.isBegunAnew ? withMore(known.abandoned, givenUp) : known.abandoned;
    return { ...emptyMark(), abandoned, isBegunAnew: change.isBegunAnew };
  }
  const { inode, history, generations } = change;
  const last = toldOf(history);
  if (change.kind === 'restored') {
    return {
      ...emptyMark(),
      inode,
      local: last,
      replicated: last,
      generations,
      abandoned: withMore(stillAbandoned(known.abandoned, history), change.abandoned),
      restored: change.isBecauseAhead ? last : undefined,
      beginning: beginningOf(history, known),
    };
  }
  const isComplete = contains(history, known.local) && contains(history, known.replicated);
  const isStillThere =
    isSameReplica &&
    !change.isReplicaBroken &&
    known.segment &&
    generations.includes(known.segment.generation);
  return {
    inode,
    local: isComplete && known.local ? known.local : last,
    replicated: isComplete && isSameReplica && generations.length > 0 ? known.replicated : undefined,
    segment: isStillThere ? known.segment : undefined,
    generations,
    abandoned: known.abandoned,
    behind: isComplete && isSameReplica ? known.behind : undefined,
    beginning: beginningOf(history, known),
  };
}

function beginningOf(history: History, known: DatabaseMark): string | undefined {
  return isOfBeginning(history, known) ? known.beginning : undefined;
}

function withMore(known: readonly Abandoned[] = [], more: readonly Abandoned[]): readonly Abandoned[] {
  const added = more.filter((each) => !known.some((one) => JSON.stringify(one) === JSON.stringify(each)));
  return [...known, ...added].slice(-ABANDONED_MAX);
}

function toldOf({ last, lastAtMs }: History): ToldPosition | undefined {
  return last && { ...last, atMs: lastAtMs };
}
