export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/**
 * @param attempts how many there were, at least 1
 * @returns the wait before the next: it doubles with each, and varies by half, so that what failed together does not come
 *   back together
 */
export function backoffMs(attempts: number, { minMs, maxMs, random }: BackoffOptions): number {
  const fullMs = Math.min(maxMs, minMs * 2 ** (attempts - 1));
  return Math.round(fullMs * (1 - random() / 2));
}
