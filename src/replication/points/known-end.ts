import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { missingOf } from '../history/cases.ts';
import { abandons, contains, type History, type Position, readHistory } from '../history/history.ts';
import { readMark } from '../history/mark.ts';
import { isCoveredByDataDir } from '../lease/covered.ts';
import { PATIENT_TIMEOUT_MS } from '../lease/open-store.ts';
import { lostSince, readRecorded } from '../lease/recorded.ts';
import { databasePath } from '../litestream-config.ts';

/** Knowledge that a database had no commit after its last one until a time, though its replica ends earlier. */
export interface KnownEnd {
  readonly database: string;
  /** The last commit; undefined before the first. */
  readonly position: Position | undefined;
  /** No other commit was made until then; milliseconds since the epoch, on the writer's clock. */
  readonly untilMs: number;
  /** Where this is known from, for people. */
  readonly source: string;
  /** Whether the replica was seen to hold that commit. */
  readonly isReplicated: boolean;
}

/**
 * Reads the known end from the owner's record, or, where the replica is in the data folder, from the database itself.
 *
 * @param root the configuration with the shared replica, which has the record
 * @param folder the folder below it that is restored from
 * @returns undefined where it is not known
 */
export async function readKnownEnd(
  root: Config,
  env: NodeJS.ProcessEnv,
  folder: string,
  database: string,
): Promise<KnownEnd | undefined> {
  if (isCoveredByDataDir(root)) return knownHere(root.DATA_DIR, database);
  // Taken before the record is read: another system may take the replica, and commit, within this millisecond.
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
  // Taken before the database is read: the next commit may be made within this millisecond.
  const untilMs = Date.now() - 1;
  try {
    const history = readHistory(path);
    const mark = readMark(dataDir)?.databases[database];
    // An older copy of the database does not have the commits that came after it.
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

/** @returns whether a restored history has the last commit, or has given it up */
export function reaches(restored: History, { position }: KnownEnd): boolean {
  return position === undefined || contains(restored, position) || abandons(restored, position);
}

/** @returns which commits the replica has lost, for people; undefined where it was never seen to have them */
export function lostOf(restored: History, { position, isReplicated }: KnownEnd): string | undefined {
  return isReplicated ? lostSince(position, restored, undefined) : undefined;
}
