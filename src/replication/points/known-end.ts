import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { missingOf } from '../history/cases.ts';
import { abandons, contains, type History, type Position, readHistory } from '../history/history.ts';
import { readMark } from '../history/mark.ts';
import { isCoveredByDataDir } from '../lease/covered.ts';
import { PATIENT_TIMEOUT_MS } from '../lease/open-store.ts';
import { lostSince, readRecorded } from '../lease/recorded.ts';
import { databasePath } from '../litestream-config.ts';

/** Up to when it is known what was committed, though the replica itself ends before: nothing was. */
export interface KnownEnd {
  readonly database: string;
  /** The last commit; undefined before the first. */
  readonly position: Position | undefined;
  /** Milliseconds since the epoch, on the clock of the commits: no other was made until then. */
  readonly untilMs: number;
  /** Who knows it, for people. */
  readonly source: string;
  /** Whether the replica was seen to hold that commit. */
  readonly isReplicated: boolean;
}

/**
 * Asks who owns the replica: its record, or, where the replica is a folder of the data folder, the databases themselves.
 *
 * @param root the replica itself, which has the record
 * @param folder that is restored from, below it
 * @returns undefined where nobody knows
 */
export async function readKnownEnd(
  root: Config,
  env: NodeJS.ProcessEnv,
  folder: string,
  database: string,
): Promise<KnownEnd | undefined> {
  if (isCoveredByDataDir(root)) return knownHere(root.DATA_DIR, database);
  // Before it is read: somebody may take it, and commit, in this very millisecond.
  const nowMs = Date.now() - 1;
  const recorded = await readRecorded(root, env, database, PATIENT_TIMEOUT_MS);
  if (!recorded || recorded.data !== folder) return undefined;
  const { session, ordinal, completeUntilMs, last } = recorded;
  if (last) {
    const isReplicated = last.session === session && last.ordinal === ordinal;
    const source = 'the record of its owner, which was stopped,';
    return { database, untilMs: nowMs, position: last, isReplicated, source };
  }
  if (completeUntilMs === undefined) return undefined;
  return {
    ...{ database, untilMs: completeUntilMs, isReplicated: true },
    position: { session, ordinal },
    source: 'the record of its owner',
  };
}

function knownHere(dataDir: string, database: string): KnownEnd | undefined {
  const path = databasePath(dataDir, database);
  if (!existsSync(path)) return undefined;
  // Before it is read, and the next may be of this very millisecond.
  const untilMs = Date.now() - 1;
  try {
    const history = readHistory(path);
    const mark = readMark(dataDir)?.databases[database];
    // An older copy of it knows nothing of what came after that.
    if (mark && missingOf(history, mark)) return undefined;
    return {
      ...{ database, untilMs, isReplicated: false },
      position: history.last,
      source: 'the database in the data folder',
    };
  } catch {
    return undefined;
  }
}

/** @returns whether what was restored goes up to there */
export function reaches(restored: History, { position }: KnownEnd): boolean {
  return position === undefined || contains(restored, position) || abandons(restored, position);
}

/** @returns what the replica has lost, for people; undefined where it never had it */
export function lostOf(restored: History, { position, isReplicated }: KnownEnd): string | undefined {
  return isReplicated ? lostSince(position, restored, undefined) : undefined;
}
