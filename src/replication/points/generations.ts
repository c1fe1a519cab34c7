import type { GenerationFiles } from '../restore/replica-files.ts';

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

/** @returns what can be restored of a generation of Litestream 0.3. Times are the store's, in whole seconds. */
export function generationOf({ name, storedMs, segments, ...files }: GenerationFiles): Generation {
  const sumBytes = (all: readonly { readonly sizeBytes: number }[]) =>
    all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const snapshots = files.snapshots
    .map(({ index, storedMs: createdMs, sizeBytes }) => {
      const following = segments.filter((segment) => segment.index >= index);
      const followedMs = following.reduce((first, segment) => Math.min(first, segment.storedMs), Infinity);
      // A snapshot without any WAL in its whole generation is restored as it is.
      const usableMs = segments.length === 0 ? createdMs : Math.max(createdMs, followedMs);
      const usableFromMs = usableMs === Infinity ? undefined : usableMs;
      return { index, createdMs, sizeBytes, walBytes: sumBytes(following), usableFromMs };
    })
    .sort((a, b) => a.createdMs - b.createdMs);
  const usable = snapshots.flatMap(({ usableFromMs }) => usableFromMs ?? []);
  return {
    name,
    fromMs: usable.length === 0 ? undefined : Math.min(...usable),
    toMs: storedMs,
    snapshots,
    segments: segments.length,
    sizeBytes: sumBytes(segments) + sumBytes(snapshots),
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
