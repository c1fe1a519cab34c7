import type { Selection } from '../restore.ts';
import type { Generation } from './generations.ts';
import { STAMP_RESOLUTION_MS } from './stamp.ts';

/**
 * @param atMs undefined for the newest state
 * @returns about how many bytes of the replica a restore reads; undefined when it has nothing so old
 */
export function bytesToRead(
  generations: readonly Generation[],
  atMs = Number.POSITIVE_INFINITY,
): number | undefined {
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
