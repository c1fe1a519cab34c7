/**
 * The times of a lease, all fractions of the TTL, which a challenger waits. A holder's right to commit ends a third of
 * the TTL earlier: clocks may run 10 % apart, and a commit that has begun takes a moment.
 */
export interface LeaseTimes {
  /** A challenger waits this long for a change of the record. */
  readonly ttlMs: number;
  /** A holder may commit for this long after it sent the last renewal that succeeded. */
  readonly holdMs: number;
  readonly renewIntervalMs: number;
  /** A store that does not answer within this time is silent. */
  readonly requestTimeoutMs: number;
}

/** The TTL of a record that names none, of a system without a standby: three of its renewals, which are 10 s apart. */
export const SINGLE_TTL_MS = 30_000;

export function timesOf(ttlMs: number): LeaseTimes {
  return {
    ttlMs,
    holdMs: (ttlMs * 2) / 3,
    renewIntervalMs: ttlMs / 6,
    requestTimeoutMs: ttlMs / 4,
  };
}
