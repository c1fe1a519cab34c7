export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * @param failures number of failures so far, at least 1
 * @returns the wait before the next try, with jitter; it doubles with each failure, up to `maxMs`
 */
export function backoffMs(failures: number, { minMs, maxMs, random }: BackoffOptions): number {
  return jittered(Math.min(maxMs, minMs * 2 ** (failures - 1)), random);
}

/** @returns half of the delay plus a random part of the other half: simultaneous failures then retry apart */
export function jittered(delayMs: number, random: () => number): number {
  return Math.round(delayMs * (0.5 + random() / 2));
}
