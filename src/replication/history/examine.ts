import type { SegmentRef } from '../../messages/confirmation.ts';
import { isOfOlderRelease, missingOf } from './cases.ts';
import { contains, type History } from './history.ts';
import type { DatabaseMark } from './mark.ts';
import type { ReplicaListing } from './replica-listing.ts';
import { NEWEST } from './restore-generations.ts';
import { compareSegments, txidName } from './segment.ts';
import type { Sidecar } from './sidecar.ts';

export interface ExamineOptions {
  readonly listing: ReplicaListing;
  readonly database: History;
  /** Undefined where nothing is remembered of this database in this replica. */
  readonly mark: DatabaseMark | undefined;
  readonly sidecar: Sidecar | undefined;
  /** Whether the mark was written at a clean stop, after the last commit and the last upload. */
  readonly isMarkFinal: boolean;
  /** Whether the sidecar has all of a segment of its generation, as it is in the replica. */
  readonly isCopied: (segment: SegmentRef) => Promise<boolean>;
}

/** What the names of its objects tell about a replica. */
export interface Names {
  readonly generations: readonly string[];
  readonly isShrunk: boolean;
  /** Whether the generation of the sidecar was extended elsewhere. */
  readonly isApart: boolean;
  /** Generations that may have commits that the database lacks; only a restore tells. */
  readonly doubtful: readonly string[];
}

/**
 * Finds out which generations have to be restored to know whether the replica has commits that the database lacks.
 * Litestream copies the WAL before it uploads it. So a generation that was uploaded from here to this replica has
 * nothing more when it does not reach beyond that copy, or beyond the last segment in the mark. A generation that was
 * compared at an earlier start has nothing more either: a generation that has ended is never taken up again.
 *
 * @throws Error that says why the replica cannot be read
 */
export async function examine(options: ExamineOptions): Promise<Names> {
  const { listing, database, mark, sidecar } = options;
  const found = await listing.generations();
  const generations = found.filter((name) => !database.dismissed.includes(name));
  const own =
    sidecar && generations.includes(sidecar.generation) ? await lookAtOwn(options, sidecar) : 'none';
  const names = { generations: found, isShrunk: false, isApart: own === 'apart' };
  if (generations.length === 0) return { ...names, doubtful: [] };
  if (mark === undefined && isOfOlderRelease(database))
    return { ...names, doubtful: own === 'sound' ? [] : [NEWEST] };
  if (mark === undefined) return { ...names, doubtful: generations };
  const doubtful = new Set<string>();
  for (const name of generations)
    if (!mark.generations.includes(name) && name !== sidecar?.generation) doubtful.add(name);
  if (sidecar && (own === 'doubtful' || own === 'apart')) doubtful.add(sidecar.generation);
  const { segment } = mark;
  let isShrunk = false;
  if (segment) {
    const isThere = generations.includes(segment.generation);
    const newer = isThere ? await listing.segments(segment.generation, segment) : [];
    const newest = newer.at(-1);
    isShrunk = !isThere || (!newest && (await listing.segments(segment.generation, undefined)).length > 0);
    const isBeyond = newest !== undefined && compareSegments(newest, segment) > 0;
    if (isBeyond && segment.generation !== sidecar?.generation) doubtful.add(segment.generation);
  }
  if (missingOf(database, mark)) for (const name of generations) doubtful.add(name);
  return { ...names, isShrunk, doubtful: [...doubtful] };
}

/**
 * As `examine`, for a replica that Litestream 0.5 has written, or 0.3 before it. Litestream 0.5 has one history, to
 * which each upload adds transactions; it writes them beside the database before it uploads them. So a replica has
 * nothing more when it does not reach beyond these files, and the database has all of them and all that was told. Else
 * a restore tells.
 *
 * @throws Error that says why the replica cannot be read
 */
export async function examineLtx({ listing, database, mark, sidecar }: ExamineOptions): Promise<Names> {
  const { names, txid } = await listing.states();
  const isGivenUp = names.every((name) => database.dismissed.includes(name));
  const isOwn = sidecar?.isContained === true && txid !== undefined && txid <= sidecar.end.index;
  const isCompared = txid !== undefined && mark?.generations.includes(txidName(txid));
  const isPlain = isGivenUp || (mark && !missingOf(database, mark) && (isOwn || isCompared));
  return { generations: names, isShrunk: false, isApart: false, doubtful: isPlain ? [] : [NEWEST] };
}

/**
 * `sound`: the database has all that the replica holds of the sidecar's generation. `doubtful`: it may lack some of
 * that. `apart`: another system extended that generation, or this one did before its folder was put back to an earlier
 * moment.
 */
async function lookAtOwn(
  { listing, database, mark, isMarkFinal, isCopied }: ExamineOptions,
  { generation, end, isContained }: Sidecar,
): Promise<'sound' | 'doubtful' | 'apart'> {
  const isOfMark = mark?.segment?.generation === generation;
  const isBefore = isOfMark && mark?.segment !== undefined && compareSegments(mark.segment, end) < 0;
  // Begins before the end of the copy: a segment that starts there may reach beyond it.
  const begin = isBefore ? mark.segment : { index: end.index, offsetBytes: 0 };
  const newest = (await listing.segments(generation, begin)).at(-1);
  // The mark of a clean stop names exactly the last upload, and the database had all of that.
  const isWithinMark =
    isOfMark &&
    mark?.segment !== undefined &&
    newest !== undefined &&
    compareSegments(newest, mark.segment) <= 0;
  if (isMarkFinal && isWithinMark && mark?.local !== undefined && contains(database, mark.local))
    return 'sound';
  const isWithinCopy =
    newest === undefined ||
    newest.index < end.index ||
    (compareSegments(newest, end) < 0 && (await isCopied(newest)));
  if (!isWithinCopy) return 'apart';
  return isContained ? 'sound' : 'doubtful';
}
