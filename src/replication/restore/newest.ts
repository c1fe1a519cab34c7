import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Failure } from '../../errors.ts';
import { openReader } from '../../sqlite/open.ts';
import { isOfOlderRelease, missingOf } from '../history/cases.ts';
import { commonEnd, type History, readHistory, relate } from '../history/history.ts';
import type { DatabaseMark } from '../history/mark.ts';
import { generationOf } from '../points/generations.ts';
import { besideOlder } from '../restore-failure.ts';
import { FRAME_HEADER_BYTES, WAL_HEADER_BYTES } from '../wal.ts';
import { commitPageOf, commitRowIn } from './commit-row.ts';
import type { LocalFiles } from './local-files.ts';
import { decodeLz4 } from './lz4.ts';
import type { GenerationFiles } from './replica-files.ts';
import { restoreFromWals, type WalRestored, type WalRestoreOptions } from './wal-restore.ts';

/** So many segments at the end of a generation are looked at for its last commit. */
const TAIL_SEGMENTS_MAX = 8;

/**
 * Restores the generation that contains the others. Times of objects, which a copied replica or a wrong clock makes wrong,
 * and of which a store tells whole seconds, say only which one to begin with. Of generations from before sessions were known
 * nothing else can be told. Where one is damaged that another contains, nothing is missing.
 *
 * @param generations at least one
 * @param mark what is remembered of the database; where each of two has what the other has not, the one with more of it
 *   is taken, or else the one that was written to last
 * @throws Failure as `restoreFromWals`
 */
export async function restoreNewest(
  generations: readonly GenerationFiles[],
  mark: DatabaseMark | undefined,
  options: WalRestoreOptions,
): Promise<WalRestored | undefined> {
  const { folder, files, outputPath } = options;
  const [first, ...others] = generations.toSorted((a, b) => b.storedMs - a.storedMs);
  const olderMs = others.map(generationOf).flatMap(({ fromMs, toMs }) => (fromMs === undefined ? [] : toMs));
  let best: WalRestored | undefined;
  try {
    best = first && (await restoreFromWals(first, options));
  } catch (error) {
    throw olderMs.length === 0 ? error : besideOlder(error, Math.max(...olderMs));
  }
  if (!best) return undefined;
  const differences: string[] = [];
  let { history, page, pageBytes } = readEnd(outputPath, mark);
  for (const other of others) {
    // One without a commit, which may be all that is left of it, is a part of any other.
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
  return { ...best, faults: [...best.faults, ...differences] };
}

function readEnd(path: string, mark: DatabaseMark | undefined) {
  const read = readHistory(path);
  const db = openReader(path);
  try {
    const page = commitPageOf(db);
    const pageBytes = db.pragma('page_size', { simple: true }) as number;
    // With what this machine remembers of what was given up.
    const history = { ...read, abandoned: [...read.abandoned, ...(mark?.abandoned ?? [])] };
    return { history, page, pageBytes };
  } finally {
    db.close();
  }
}

/**
 * Looks only at the end of a generation: where a session of the history begins right behind it, whoever opened that session
 * had all of it.
 */
async function isPart(
  { segments }: GenerationFiles,
  { sessions }: History,
  page: number | undefined,
  pageBytes: number,
  files: LocalFiles,
): Promise<boolean> {
  for (const segment of segments.slice(-TAIL_SEGMENTS_MAX).toReversed()) {
    const path = await files.get(segment);
    if (path === undefined) return false;
    const parts: Uint8Array[] = [];
    try {
      for await (const bytes of decodeLz4([await readFile(path)])) parts.push(bytes);
    } catch {
      return false;
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
    if (ordinal !== undefined) {
      const next = ordinal + 1;
      return sessions.some(({ firstOrdinal }) => firstOrdinal === next);
    }
  }
  return false;
}

function isPreferred(a: History, b: History, mark: DatabaseMark | undefined): boolean {
  const [hasA, hasB] = [a, b].map((history) => mark !== undefined && missingOf(history, mark) === undefined);
  return hasA === hasB ? a.lastAtMs > b.lastAtMs : hasA === true;
}

/** One commit, which its writer was killed over and nobody was told of. */
function isOneOver(kept: History, left: History): boolean {
  const beyond = (left.last?.ordinal ?? 0) - (commonEnd(kept, left)?.ordinal ?? 0);
  return beyond === 1 && left.lastAtMs <= kept.lastAtMs;
}

function apart(generation: string, kept: History, left: History): string {
  const from = (commonEnd(kept, left)?.ordinal ?? 0) + 1;
  return `the generation ${generation} has commits that this has not: ${from} to ${left.last?.ordinal} of another history; with npx ninelives restore --list it is found`;
}
