import type { SegmentRef } from '../../messages/confirmation.ts';
import type { ReplicaListing } from '../history/replica-listing.ts';
import { segmentFile } from '../history/segment.ts';

/** A difference between the replica and what this system has put there. */
export type Finding = {
  /** One sentence, for people. */
  readonly text: string;
} & (
  | {
      /** `foreign`: the replica has more than this system uploaded. `loss`: something that it uploaded is gone. */
      readonly kind: 'foreign' | 'loss';
      readonly database: string;
      /** Generations that were compared with the database, but have grown since: they must be compared again. */
      readonly grown?: readonly string[];
    }
  /** The disk of the replica is not mounted. */
  | { readonly kind: 'away' }
);

export interface LookOptions {
  readonly database: string;
  readonly replicaUrl: string;
  readonly listing: ReplicaListing;
  /** The uploads since the last look that found all, and some before that; of one generation, oldest first. */
  readonly uploaded: readonly SegmentRef[];
  /** Whether a generation is this system's. Called after the names were read: Litestream may just have begun one. */
  readonly isOwn: (generation: string) => boolean;
  /** Whether a generation has more objects than when it was compared. */
  readonly hasGrown: (generation: string) => Promise<boolean>;
}

/**
 * Compares the names in the replica of one database with what must be there: its generations, and in the newest one a
 * snapshot and the last uploaded segments. Only a drill finds gaps further back.
 *
 * @returns undefined where all is as it should be
 * @throws Error that says why the replica cannot be read
 */
export async function lookAtReplica(options: LookOptions): Promise<Finding | undefined> {
  const { database, replicaUrl, listing, uploaded, isOwn, hasGrown } = options;
  const what = `The replica ${replicaUrl} of ${database}`;
  const generations = await listing.generations();
  const foreign = generations.filter((name) => !isOwn(name));
  const grown: string[] = [];
  for (const name of generations) if (await hasGrown(name)) grown.push(name);
  if (foreign.length > 0) {
    const names = `${foreign.length === 1 ? 'the generation' : 'the generations'} ${foreign.join(', ')}`;
    return { kind: 'foreign', database, text: `${what} has ${names}, which this system did not make.` };
  }
  if (grown.length > 0) {
    const text = `${what} has more in ${grown.join(', ')}, which Litestream does not write, than when that was compared.`;
    return { kind: 'foreign', database, grown, text };
  }
  const newest = uploaded.at(-1);
  if (!newest) return undefined;
  const { generation } = newest;
  const isListed = generations.includes(generation);
  const segments = isListed ? await listing.segments(generation, uploaded[0]) : [];
  const found = new Set(segments.map(segmentFile));
  const missing = uploaded.filter((each) => !found.has(segmentFile(each)));
  for (const each of missing) {
    // A store's listing may be late, so it is asked for the object itself.
    if (await listing.has(each)) continue;
    const lost = isListed
      ? `has lost ${missing.length} of the ${uploaded.length} objects that were uploaded last to its generation ${generation}`
      : generations.length > 0
        ? `has lost its generation ${generation}`
        : 'is empty, and was not';
    return { kind: 'loss', database, text: `${what} ${lost}.` };
  }
  if (missing.length > 0) return undefined;
  if ((await listing.snapshots(generation)).length > 0) return undefined;
  return { kind: 'loss', database, text: `${what} has lost the snapshots of its generation ${generation}.` };
}
