import type { ToldCommit } from '../messages/messages.ts';
import type { CommitMark } from '../messages/positions.ts';
import { type LastCommit, readLastCommit } from './points/last-commit.ts';

/** The commits that a restore could not bring back: those after `restored`, up to `known`. */
export interface Loss {
  /** The last commit of the restored database; undefined when it does not count its commits. */
  readonly restored: CommitMark | undefined;
  /** The last commit that is known to have been made. */
  readonly known: CommitMark | undefined;
  /** Whether there may have been more after `known`: it was not read from the database itself. */
  readonly isLowerBound: boolean;
}

/**
 * Finds out which commits of a damaged database its restored copy lacks.
 *
 * @param damagedPath the damaged database, with its WAL beside it; undefined when there is none
 * @param restoredPath the restored database; nobody writes it
 * @param told the last commit that the writer reported, or that the mark names; undefined when neither does
 */
export function lossOf(
  damagedPath: string | undefined,
  restoredPath: string,
  told: ToldCommit | undefined,
): Loss {
  const restored = readLastCommit(restoredPath);
  const read = damagedPath === undefined ? undefined : readDamaged(damagedPath);
  const isOlder = told !== undefined && (read === undefined || read.ordinal < told.ordinal);
  if (isOlder) return { restored, known: told, isLowerBound: !told.isFinal };
  return { restored, known: read, isLowerBound: read === undefined };
}

/** @returns how many commits are lost; 0 where none is known to be */
export function lostCount({ restored, known }: Loss): number {
  return restored && known ? Math.max(0, known.ordinal - restored.ordinal) : 0;
}

/**
 * @param salvaged how many of the restored commits were not in the replica, and came from the WAL
 * @returns what was lost, for people
 */
export function describeLoss({ restored, known, isLowerBound }: Loss, salvaged = 0): string {
  if (!restored) return 'the restored database does not tell its last commit';
  const from = `${restored.ordinal - salvaged + 1} to ${restored.ordinal}`;
  const end = `it ends with commit ${restored.ordinal} of ${timeOf(restored)}${salvaged > 0 ? `; ${from} were not in the replica and came from the WAL` : ''}`;
  if (!known) return `${end}; whether there were newer ones cannot be read from what was there`;
  if (known.ordinal > restored.ordinal) {
    const count = known.ordinal - restored.ordinal;
    const atLeast = isLowerBound ? 'at least ' : '';
    return `${end}; ${atLeast}${count} newer ${count === 1 ? 'commit was' : 'commits were'} not in the replica and ${count === 1 ? 'is' : 'are'} lost: ${restored.ordinal + 1} to ${known.ordinal}, of ${timeOf(known)}`;
  }
  return isLowerBound ? `${end}; no newer one is known` : `${end}; there was no newer one, nothing is lost`;
}

function timeOf({ ordinal, atMs }: CommitMark): string {
  return ordinal === 0 ? 'the beginning' : new Date(atMs).toISOString();
}

/** The last commit is on few pages, mostly in the WAL: these can often be read although other pages are damaged. */
function readDamaged(path: string): LastCommit | undefined {
  try {
    return readLastCommit(path);
  } catch {
    return undefined;
  }
}
