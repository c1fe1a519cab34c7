import type { ReplicaListing } from '../history/replica-listing.ts';
import { segmentFile } from '../history/segment.ts';

/** A generation that has not grown for this long is whole. */
const WATCHED_MS = 3_600_000;

interface Seen {
  /** The names of the generation's objects. */
  readonly names: ReadonlySet<string>;
  /** When it was last seen to grow, or else first seen. */
  readonly grownAtMs: number;
  /** Whether it has grown since it was first seen, or since that was last reported. */
  readonly isToTell: boolean;
}

/**
 * Finds generations that grow though Litestream does not write them. Copying a generation into the replica takes a
 * while, so it may have been compared with the database before it was whole.
 *
 * States of a generation: watched → growing (a look finds more) → reported (the next look finds no more) → watched.
 * After an hour without growth it is watched no longer.
 */
export class GrownGenerations {
  readonly #seen = new Map<string, Seen>();
  readonly #dueMs = new Map<string, number>();
  readonly #intervalMs: number;
  readonly #now: () => number;

  /** @param intervalMs between two looks at the same generation: a look may be many requests */
  constructor(intervalMs: number, now: () => number = () => performance.now()) {
    this.#intervalMs = intervalMs;
    this.#now = now;
  }

  /**
   * @returns whether a generation has grown, and has stopped growing; each growth is reported once
   * @throws Error that says why the replica cannot be read
   */
  async hasGrown(database: string, generation: string, listing: ReplicaListing): Promise<boolean> {
    const key = `${database}/${generation}`;
    const nowMs = this.#now();
    if (nowMs < (this.#dueMs.get(key) ?? 0)) return false;
    const [snapshots, segments] = await Promise.all([
      listing.snapshots(generation),
      listing.segments(generation, undefined),
    ]);
    const names = new Set([...snapshots, ...segments.map(segmentFile)]);
    this.#dueMs.set(key, nowMs + this.#intervalMs);
    const seen = this.#seen.get(key) ?? { names, grownAtMs: nowMs, isToTell: false };
    const isMore = [...names].some((name) => !seen.names.has(name));
    const isTold = seen.isToTell && !isMore;
    const grownAtMs = isMore ? nowMs : seen.grownAtMs;
    this.#seen.set(key, { names, grownAtMs, isToTell: isMore || (seen.isToTell && !isTold) });
    if (!isMore && nowMs - grownAtMs > WATCHED_MS) this.#dueMs.set(key, Number.POSITIVE_INFINITY);
    return isTold;
  }
}
