import type { Selection } from '../restore.ts';
import type { Generation } from './generations.ts';
import { STAMP_RESOLUTION_MS } from './stamp.ts';

/**
 * @param atMs undefined for the newest state
 * @returns about how many bytes of the replica a restore reads; undefined when the replica does not reach back so far
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
 * Finds the selections to try with Litestream 0.5 for the newest state that is not later than a time. Listed times are
 * whole seconds, so within such a second it is not certain which state a time means. Litestream refuses a time outside
 * its range.
 *
 * @param atMs milliseconds since the epoch, not after the range of the replica
 * @returns the best first, each for a state no later than the one before; empty when nothing reaches back so far
 */
export function attemptsFor({ fromMs, toMs, snapshots }: Generation, atMs: number): Selection[] {
  if (fromMs === undefined || fromMs > atMs) return [];
  if (atMs >= toMs + STAMP_RESOLUTION_MS) return [{}];
  const earlier = snapshots
    .map(({ createdMs }) => createdMs - 1)
    .filter((createdMs) => createdMs < atMs && createdMs >= fromMs)
    .reverse()
    .map((createdMs) => ({ atMs: createdMs }));
  return [{ atMs }, ...(atMs >= toMs ? [{}] : []), ...earlier];
}
