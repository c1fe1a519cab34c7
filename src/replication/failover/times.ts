/**
 * The times of a lease, all parts of how long a challenger waits. A holder's right to commit ends a third of that before:
 * clocks may run 10 % apart, and a commit that has begun takes a moment.
 */
export interface LeaseTimes {
  /** A challenger waits so long for a change of the record. */
  readonly ttlMs: number;
  /** A holder may commit so long after it sent the last renewal that succeeded. */
  readonly holdMs: number;
  readonly renewIntervalMs: number;
  /** A store that says nothing for so long is silent. */
  readonly requestTimeoutMs: number;
}

/** What a system writes that has no standby tells nothing of this: it is judged dead after three renewals of 10 s. */
export const SINGLE_TTL_MS = 30_000;

export function timesOf(ttlMs: number): LeaseTimes {
  return {
    ttlMs,
    holdMs: (ttlMs * 2) / 3,
    renewIntervalMs: ttlMs / 6,
    requestTimeoutMs: ttlMs / 4,
  };
}
