export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * @param failures how many there were, at least 1
 * @returns the wait before the next try: it doubles with each, and is jittered
 */
export function backoffMs(failures: number, { minMs, maxMs, random }: BackoffOptions): number {
  return jittered(Math.min(maxMs, minMs * 2 ** (failures - 1)), random);
}

/** Half fixed, half random: what failed together does not come back together, and never below half of the delay. */
export function jittered(delayMs: number, random: () => number): number {
  return Math.round(delayMs * (0.5 + random() / 2));
}
