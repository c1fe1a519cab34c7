import { missingOf } from './cases.ts';
import { type History, relate } from './history.ts';
import type { DatabaseMark } from './mark.ts';
import type { ReplicaListing } from './replica-listing.ts';
import { type RestoreGenerationsOptions, restoreGenerations, scratchPath } from './restore-generations.ts';

/** A restored database that nobody has put in its place yet. */
export interface Found {
  readonly path: string;
  readonly history: History;
}

/**
 * Litestream chooses the generation to restore by the times of objects, which a copied replica or a wrong clock makes
 * wrong. Where what it gave lacks what was told, the other generations are looked at.
 *
 * @param found what Litestream has chosen
 * @returns the one that contains it, and has most of what was told; else what Litestream has chosen
 * @throws Error why the replica cannot be read
 */
export async function furthest(
  database: string,
  found: Found,
  mark: DatabaseMark,
  listing: ReplicaListing,
  options: RestoreGenerationsOptions,
): Promise<Found> {
  if (missingOf(withDecided(found.history, mark), mark) === undefined) return found;
  const { candidates } = await restoreGenerations(database, await listing.generations(), options);
  let best = found;
  for (const { generation, history } of candidates) {
    if (relate(withDecided(best.history, mark), history) !== 'behind') continue;
    best = { path: scratchPath(database, generation, options.scratchDir), history };
  }
  return best;
}

/** With what this machine remembers of what was given up. */
function withDecided(history: History, { abandoned = [] }: DatabaseMark): History {
  return { ...history, abandoned: [...history.abandoned, ...abandoned] };
}
