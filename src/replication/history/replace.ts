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

/** A request to put a database in another's place, with the reason. */
export interface ReplaceRequest extends Omit<ReplacedDatabase, 'change' | 'rewind' | 'isContaining'> {
  /** Without the abandoned commits: these are found from the replaced database and the mark. */
  readonly decision: Omit<Decision, 'abandoned'>;
  /** A further commit that the replaced database is known to have had. */
  readonly told?: Position | undefined;
  /** All generations in the replica. */
  readonly generations: readonly string[];
  /** Whether a sound database was there, and the replica was ahead of it. */
  readonly isBecauseAhead: boolean;
}

/**
 * Replaces databases, and writes the decision into each of them and into the mark. The mark has the whole plan before
 * the first file moves, so that after a crash `finishReplacement` can complete it.
 *
 * @returns what has become of each database, in the order of the requests
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
      // A healing that gives nothing up decides nothing: the file stays byte for byte what the replica gave.
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
      // A commit that is given up only now may be in a WAL beside the old file that cannot be read.
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
 * Finishes a replacement that a crash has interrupted: puts the remaining databases in place. If the file of one of
 * them is gone, it puts back what was there before. The caller has the data folder's lock, and calls this before
 * anything else.
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

/** @returns the folder for the files that are put aside at a time */
export function replacedFolder(dataDir: string, time: string): string {
  return join(dataDir, 'replaced', time);
}
