/** A snapshot in a replica. Times are the store's, in whole seconds. */
export interface SnapshotRow {
  readonly generation: string;
  /** Of the WAL that follows it. */
  readonly index: number;
  readonly sizeBytes: number;
  readonly createdMs: number;
}

/** A piece of a WAL in a replica. */
export interface SegmentRow {
  readonly generation: string;
  readonly index: number;
  readonly sizeBytes: number;
  readonly createdMs: number;
}

export interface Snapshot {
  readonly index: number;
  readonly createdMs: number;
  readonly sizeBytes: number;
  /** Of all WAL that follows it. */
  readonly walBytes: number;
  /** From this time on it can be restored: when the replica had WAL to follow it. Undefined while it has none. */
  readonly usableFromMs: number | undefined;
}

/** One unbroken history of a database in its replica. */
export interface Generation {
  readonly name: string;
  /** Any time from `fromMs` to `toMs` can be restored; no time while `fromMs` is undefined. */
  readonly fromMs: number | undefined;
  readonly toMs: number;
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[];
  readonly segments: number;
  /** As stored, compressed. */
  readonly sizeBytes: number;
}

interface Growing {
  readonly snapshots: SnapshotRow[];
  /** For each snapshot, by its place, the time of the first segment that can follow it. */
  readonly followedMs: (number | undefined)[];
  readonly walBytes: number[];
  segments: number;
  segmentBytes: number;
  toMs: number;
}

/**
 * Gathers what a replica holds of one database, row by row: it may have hundreds of thousands of segments. All
 * snapshots come before the first segment.
 */
export class GenerationCollector {
  readonly #generations = new Map<string, Growing>();

  snapshot(row: SnapshotRow): void {
    const generation = this.#of(row.generation);
    generation.snapshots.push(row);
    generation.followedMs.push(undefined);
    generation.walBytes.push(0);
    generation.toMs = Math.max(generation.toMs, row.createdMs);
  }

  segment(row: SegmentRow): void {
    const generation = this.#of(row.generation);
    generation.segments += 1;
    generation.segmentBytes += row.sizeBytes;
    generation.toMs = Math.max(generation.toMs, row.createdMs);
    generation.snapshots.forEach(({ index }, place) => {
      if (row.index < index) return;
      const known = generation.followedMs[place] ?? Number.POSITIVE_INFINITY;
      generation.followedMs[place] = Math.min(known, row.createdMs);
      generation.walBytes[place] = (generation.walBytes[place] ?? 0) + row.sizeBytes;
    });
  }

  /** @returns the generations, the one that began first in front */
  collected(): Generation[] {
    return [...this.#generations]
      .map(([name, growing]) => finished(name, growing))
      .sort((a, b) => (a.fromMs ?? a.toMs) - (b.fromMs ?? b.toMs));
  }

  #of(name: string): Growing {
    let generation = this.#generations.get(name);
    if (!generation) {
      generation = { snapshots: [], followedMs: [], walBytes: [], segments: 0, segmentBytes: 0, toMs: 0 };
      this.#generations.set(name, generation);
    }
    return generation;
  }
}

function finished(name: string, growing: Growing): Generation {
  const { segments, segmentBytes, toMs } = growing;
  const snapshots = growing.snapshots
    .map(({ index, createdMs, sizeBytes }, place) => {
      // A snapshot without any WAL in its whole generation is restored as it is.
      const followedMs = segments === 0 ? createdMs : growing.followedMs[place];
      const usableFromMs = followedMs === undefined ? undefined : Math.max(createdMs, followedMs);
      return { index, createdMs, sizeBytes, walBytes: growing.walBytes[place] ?? 0, usableFromMs };
    })
    .sort((a, b) => a.createdMs - b.createdMs);
  const usable = snapshots.flatMap(({ usableFromMs }) => usableFromMs ?? []);
  return {
    name,
    fromMs: usable.length === 0 ? undefined : Math.min(...usable),
    toMs,
    snapshots,
    segments,
    sizeBytes: segmentBytes + snapshots.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** @returns the range of times that the generations cover; undefined when nothing can be restored */
export function rangeOf(
  generations: readonly Generation[],
): { readonly fromMs: number; readonly toMs: number } | undefined {
  const usable = generations.filter(({ fromMs }) => fromMs !== undefined);
  if (usable.length === 0) return undefined;
  return {
    fromMs: Math.min(...usable.map(({ fromMs = 0 }) => fromMs)),
    toMs: Math.max(...usable.map(({ toMs }) => toMs)),
  };
}
