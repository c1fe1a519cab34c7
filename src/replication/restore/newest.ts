import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Failure } from '../../platform/errors.ts';
import { openReader } from '../../sqlite/open.ts';
import { isOfOlderRelease, missingOf } from '../history/cases.ts';
import {
  commonEnd,
  contains,
  type History,
  isOneOver,
  type Position,
  readHistory,
  relate,
} from '../history/history.ts';
import type { DatabaseMark } from '../history/mark.ts';
import { besideOlder } from '../restore-failure.ts';
import { FRAME_HEADER_BYTES, WAL_HEADER_BYTES } from '../wal.ts';
import { commitPageOf, commitRowIn } from './commit-row.ts';
import type { LocalFiles } from './local-files.ts';
import { decodeLz4 } from './lz4.ts';
import type { GenerationFiles } from './replica-files.ts';
import { restoreFromWals, type WalRestored, type WalRestoreOptions } from './wal-restore.ts';

/** How many segments at the end of a generation are searched for its last commit. */
const TAIL_SEGMENTS_MAX = 8;

/** What is known of a database apart from the replica's content. */
interface Known {
  /** What this machine remembers of it. */
  readonly mark: DatabaseMark | undefined;
  /** The newest commit in the owner's record. */
  readonly recorded: Position | undefined;
}

/**
 * Restores the generation that contains the others. Times of objects only say which one to try first: a copied replica
 * or a wrong clock makes them wrong, and a store has them in whole seconds. Only between generations of releases
 * without sessions they decide, for want of anything else. A damaged generation that another one contains costs
 * nothing.
 *
 * @param generations at least one
 * @param known decides between two generations of which each has commits that the other lacks: the one that has all
 *   that was told wins, or else the one whose last commit is later. A generation that cannot be used is given up when
 *   the result has all that was told, and no readable rest of that generation is later
 * @throws Failure as `restoreFromWals`
 */
export async function restoreNewest(
  generations: readonly GenerationFiles[],
  known: Known,
  options: WalRestoreOptions,
): Promise<WalRestored | undefined> {
  const { folder, files, outputPath } = options;
  const { mark } = known;
  const others = generations.toSorted((a, b) => b.storedMs - a.storedMs);
  const unusable: { readonly generation: GenerationFiles; readonly failure: Failure }[] = [];
  let best: WalRestored | undefined;
  while (!best) {
    const generation = others.shift();
    if (!generation) {
      if (unusable[0]) throw unusable[0].failure;
      return undefined;
    }
    try {
      best = await restoreFromWals(generation, options);
      if (!best) return undefined;
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'restore_failed' || error.cause) throw error;
      unusable.push({ generation, failure: error });
    }
  }
  const differences: string[] = [];
  let { history, page, pageBytes } = readEnd(outputPath, mark);
  for (const other of others) {
    // A generation without a commit, which may be the rest of a damaged one, is a part of any other.
    const isEmpty = history.last === undefined;
    if (isOfOlderRelease(history) && !isEmpty) break;
    if (other.snapshots.length === 0 || history.dismissed.includes(other.name)) continue;
    if (await isPart(other, history, page, pageBytes, files)) continue;
    const otherPath = join(folder, 'other', 'other.db');
    mkdirSync(dirname(otherPath), { recursive: true, mode: 0o700 });
    let restored: WalRestored | undefined;
    try {
      restored = await restoreFromWals(other, { ...options, outputPath: otherPath });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'restore_failed') throw error;
      differences.push(`the generation ${other.name} could not be compared: ${error.message}`);
    }
    if (!restored) continue;
    const found = readEnd(otherPath, mark);
    const isOlder = isOfOlderRelease(found.history) && !isEmpty;
    const relation = isOlder ? 'ahead' : relate(history, found.history);
    const isFurther =
      relation === 'behind' || (relation === 'fork' && isPreferred(found.history, history, mark));
    const [kept, left] = isFurther ? [found.history, history] : [history, found.history];
    const name = isFurther ? best.generation : other.name;
    if (relation === 'fork' && !isOneOver(kept, left)) differences.push(apart(name, kept, left));
    if (isFurther) {
      best = restored;
      rmSync(dirname(outputPath), { recursive: true });
      mkdirSync(dirname(outputPath), { mode: 0o700 });
      renameSync(otherPath, outputPath);
      ({ history, page, pageBytes } = found);
    }
  }
  for (const { generation, failure } of unusable) {
    if (history.dismissed.includes(generation.name)) continue;
    const ordinal = (await lastOrdinalIn(generation, page, pageBytes, files)) ?? 0;
    if (!hasAllTold(history, known) || ordinal > (history.last?.ordinal ?? 0)) {
      const older = generations.find(({ name }) => name === best.generation);
      throw besideOlder(failure, older?.storedMs ?? 0);
    }
    differences.push(`the generation ${generation.name} could not be compared: ${failure.message}`);
  }
  return { ...best, faults: [...best.faults, ...differences] };
}

/** @returns whether any commit was told, and a history has all that were */
function hasAllTold(history: History, { mark, recorded }: Known): boolean {
  if (mark?.local === undefined && recorded === undefined) return false;
  return contains(history, recorded) && (mark === undefined || missingOf(history, mark) === undefined);
}

function readEnd(path: string, mark: DatabaseMark | undefined) {
  const read = readHistory(path);
  const db = openReader(path);
  try {
    const page = commitPageOf(db);
    const pageBytes = db.pragma('page_size', { simple: true }) as number;
    // Includes the abandoned commits that this machine remembers.
    const history = { ...read, abandoned: [...read.abandoned, ...(mark?.abandoned ?? [])] };
    return { history, page, pageBytes };
  } finally {
    db.close();
  }
}

/**
 * Whether a history has all of a generation, judged by the generation's last commit alone: where a session of the
 * history begins right after that commit, the writer of that session had all of the generation.
 */
async function isPart(
  generation: GenerationFiles,
  { sessions }: History,
  page: number | undefined,
  pageBytes: number,
  files: LocalFiles,
): Promise<boolean> {
  const next = ((await lastOrdinalIn(generation, page, pageBytes, files)) ?? Number.NaN) + 1;
  return sessions.some(({ firstOrdinal }) => firstOrdinal === next);
}

/** @returns the last commit in the segments of a generation; undefined where there is none, infinite where not known */
async function lastOrdinalIn(
  { segments }: GenerationFiles,
  page: number | undefined,
  pageBytes: number,
  files: LocalFiles,
): Promise<number | undefined> {
  for (const segment of segments.slice(-TAIL_SEGMENTS_MAX).toReversed()) {
    const path = await files.get(segment);
    if (path === undefined) return Number.POSITIVE_INFINITY;
    const parts: Uint8Array[] = [];
    try {
      for await (const bytes of decodeLz4([await readFile(path)])) parts.push(bytes);
    } catch {
      return Number.POSITIVE_INFINITY;
    }
    const content = Buffer.concat(parts);
    const frameBytes = FRAME_HEADER_BYTES + pageBytes;
    let ordinal: number | undefined;
    let place = segment.offsetBytes === 0 ? WAL_HEADER_BYTES : 0;
    for (; place + frameBytes <= content.length; place += frameBytes) {
      if (content.readUInt32BE(place) !== page) continue;
      const frame = content.subarray(place + FRAME_HEADER_BYTES, place + frameBytes);
      ordinal = commitRowIn(frame)?.ordinal ?? ordinal;
    }
    if (ordinal !== undefined) return ordinal;
  }
  return segments.length > TAIL_SEGMENTS_MAX ? Number.POSITIVE_INFINITY : undefined;
}

function isPreferred(a: History, b: History, mark: DatabaseMark | undefined): boolean {
  const [hasA, hasB] = [a, b].map((history) => mark !== undefined && missingOf(history, mark) === undefined);
  return hasA === hasB ? a.lastAtMs > b.lastAtMs : hasA === true;
}

function apart(generation: string, kept: History, left: History): string {
  const from = (commonEnd(kept, left)?.ordinal ?? 0) + 1;
  return `the generation ${generation} has commits that this has not: ${from} to ${left.last?.ordinal} of another history; with npx ninelives restore --list it is found`;
}
