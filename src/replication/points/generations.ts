import type { Selection } from '../restore.ts';
import { STAMP_RESOLUTION_MS } from './stamp.ts';

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
  readonly offset: number;
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

/**
 * @param atMs undefined for the newest state
 * @returns about how many bytes of the replica a restore reads; undefined when it has nothing so old
 */
export function bytesToRead(generations: readonly Generation[], atMs = Number.POSITIVE_INFINITY) {
  const started = generations.filter(({ fromMs }) => fromMs !== undefined && fromMs <= atMs);
  const snapshots = started.at(-1)?.snapshots ?? [];
  const place = snapshots.findLastIndex(
    ({ usableFromMs }) => usableFromMs !== undefined && usableFromMs <= atMs,
  );
  const snapshot = snapshots[place];
  if (!snapshot) return undefined;
  return snapshot.sizeBytes + snapshot.walBytes - (snapshots[place + 1]?.walBytes ?? 0);
}

/**
 * Finds what to restore for a time: the newest state that is not later. What a time falls on is not certain within
 * the second of a listed time, and Litestream refuses a time that it finds outside of a generation or that has a
 * snapshot without WAL before it; so there may be several things to try.
 *
 * @param atMs milliseconds since the epoch, not after the range of the generations
 * @returns the best first, each restoring no later than the one before; empty when nothing reaches back so far
 */
export function attemptsFor(generations: readonly Generation[], atMs: number): Selection[] {
  return generations
    .filter(({ fromMs }) => fromMs !== undefined && fromMs <= atMs)
    .sort((a, b) => (b.fromMs ?? 0) - (a.fromMs ?? 0))
    .flatMap((generation) => attemptsWithin(generation, atMs));
}

function attemptsWithin({ name, fromMs = 0, toMs, snapshots }: Generation, atMs: number): Selection[] {
  const whole = { generation: name, timestampMs: undefined };
  const isBehind = atMs >= toMs + STAMP_RESOLUTION_MS;
  const mayBeBehind = atMs >= toMs;
  const earlier = snapshots
    .map(({ createdMs }) => createdMs - 1)
    .filter((timestampMs) => timestampMs < atMs && timestampMs >= fromMs)
    .reverse()
    .map((timestampMs) => ({ generation: name, timestampMs }));
  if (isBehind) return [whole];
  return [{ generation: name, timestampMs: atMs }, ...(mayBeBehind ? [whole] : []), ...earlier];
}
