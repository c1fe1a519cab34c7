/** The median of several rounds, and their range. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @param values at least one */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

const HOUR_MS = 3_600_000;

/**
 * @param points time in milliseconds, and a value
 * @returns the rise of the value in an hour, by least squares; 0 for fewer than two moments
 */
export function slopePerHour(points: readonly (readonly [atMs: number, value: number])[]): number {
  const meanAt = points.reduce((sum, [atMs]) => sum + atMs, 0) / points.length;
  const mean = points.reduce((sum, [, value]) => sum + value, 0) / points.length;
  const spread = points.reduce((sum, [atMs]) => sum + (atMs - meanAt) ** 2, 0);
  if (!(spread > 0)) return 0;
  const common = points.reduce((sum, [atMs, value]) => sum + (atMs - meanAt) * (value - mean), 0);
  return (common / spread) * HOUR_MS;
}
