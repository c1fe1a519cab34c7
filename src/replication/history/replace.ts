import { existsSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../../platform/errors.ts';
import { syncToDisk } from '../files.ts';
import { moveBack, moveInto } from '../leftovers.ts';
import { databasePath } from '../litestream-config.ts';
import { markContained } from './cleanup.ts';
import { abandonedBy, type Decision, recordDecision } from './decision.ts';
import { type Abandoned, contains, historyOrNone, type Position } from './history.ts';
import { newMark, readMark, writeMark } from './mark.ts';
import { nextMark } from './next-mark.ts';
import { noticeOf } from './quarantine.ts';
import type { MarkChange, ReplacedDatabase, Replacement } from './replacement.ts';
import { rewindOf } from './rewind.ts';

/** What takes a place, with why. */
export interface ReplaceRequest extends Omit<ReplacedDatabase, 'change' | 'rewind' | 'isContaining'> {
  /** What is given up with it is found out from what is in its place, and from what is remembered of that. */
  readonly decision: Omit<Decision, 'abandoned'>;
  /** The last commit that is known of what is in its place beside. */
  readonly told?: Position | undefined;
  /** All that are in the replica. */
  readonly generations: readonly string[];
  /** A whole one was there, which the replica was ahead of. */
  readonly isBecauseAhead: boolean;
}

/**
 * Replaces databases, and writes what was decided by that into each and into the mark. What it is about to do is in the
 * mark before the first file moves, so that whoever comes after a crash can finish it (`finishReplacement`).
 *
 * @returns what each has become, in their order
 * @throws Failure restore_failed when the disk does not take it
 */
export function replaceDatabases(
  dataDir: string,
  replicaUrl: string,
  requests: readonly ReplaceRequest[],
): MarkChange[] {
  const known = readMark(dataDir) ?? newMark(replicaUrl);
  const databases = requests.map(
    ({ database, from, folder, told, generations, isBecauseAhead, ...request }) => {
      const { kind, cut } = request.decision;
      const { local, replicated } = known.databases[database] ?? {};
      const before = historyOrNone(databasePath(dataDir, database));
      const abandoned = abandonedBy(before, [local, replicated, told], cut);
      const decision = { ...request.decision, abandoned };
      // One that is only brought back has decided nothing, and stays byte for byte what the replica gave.
      if (kind !== 'heal' || abandoned.length > 0) recordDecision(from, decision);
      const inode = statSync(from).ino;
      const change = {
        kind: 'restored' as const,
        inode,
        history: cut,
        generations,
        abandoned,
        isBecauseAhead,
      };
      const rewind = rewindOf(dataDir, database, decision, folder, local?.atMs);
      const isKnown = (one: Abandoned) => before.abandoned.some((known) => isDeepStrictEqual(known, one));
      // What was given up now may be in a WAL beside it that nobody can read.
      const isContaining =
        before.last !== undefined && contains(cut, before.last) && abandoned.every(isKnown);
      return { database, from, folder, change, rewind, isContaining };
    },
  );
  writeMark(dataDir, { ...known, replacement: { databases } }, true);
  apply(dataDir, replicaUrl, { databases });
  return databases.map(({ change }) => change);
}

/**
 * Finishes what a crash has cut in half: every database that has not been put in its place is, where it is still there;
 * else what was there before is put back. To be called by whoever has the data folder's lock, before anything else.
 *
 * @throws Failure restore_failed when the disk does not take it
 */
export function finishReplacement(dataDir: string, replicaUrl: string): void {
  const replacement = readMark(dataDir)?.replacement;
  if (replacement) apply(dataDir, replicaUrl, replacement);
}

function apply(dataDir: string, replicaUrl: string, { databases }: Replacement): void {
  const isInPlace = ({ database, from }: ReplacedDatabase) =>
    !existsSync(from) && existsSync(databasePath(dataDir, database));
  const isLost = databases.some((each) => !existsSync(each.from) && !isInPlace(each));
  const done = isLost ? [] : databases;
  try {
    for (const { database, from, folder, isContaining } of databases) {
      const path = databasePath(dataDir, database);
      if (isLost) {
        if (!existsSync(path)) moveBack(folder, dataDir, database);
      } else if (existsSync(from)) {
        moveInto(folder, dataDir, database);
        renameSync(from, path);
        syncToDisk(dirname(path));
      }
      if (!isLost && isContaining) markContained(folder, database);
    }
  } catch (error) {
    const folders = [...new Set(databases.map(({ folder }) => folder))].filter((each) => existsSync(each));
    throw new Failure(
      'restore_failed',
      `The restored databases could not all be put in their place (${(error as Error).message}); the next start tries again${folders.length > 0 ? `; what was there is in ${folders.join(' and ')}` : ''}`,
      { cause: error },
    );
  }
  const { replacement: _, ...known } = readMark(dataDir) ?? newMark(replicaUrl);
  const changes = new Map(done.map(({ database, change }) => [database, change]));
  const next = nextMark(known, known.replicaUrl, changes, [], Date.now());
  const notices = done.flatMap(({ database, folder, change }) =>
    change.kind === 'restored' ? (noticeOf(dataDir, database, folder, change.abandoned) ?? []) : [],
  );
  const rewinds = done.flatMap(({ rewind }) => rewind ?? []);
  writeMark(
    dataDir,
    {
      ...next,
      notices: [...next.notices, ...notices],
      rewinds: [...(known.rewinds ?? []), ...rewinds],
    },
    true,
  );
}

/** @returns the folder for what is put aside at a time */
export function replacedFolder(dataDir: string, time: string): string {
  return join(dataDir, 'replaced', time);
}
