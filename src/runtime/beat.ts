const INTERVAL_MAX_MS = 500;
const INTERVAL_MIN_MS = 50;

/**
 * @param hangTimeoutMs how long an event loop may stand still
 * @returns how often a child shows that its loop turns, in milliseconds: so much later it is known that it does not
 */
export function beatIntervalMs(hangTimeoutMs: number): number {
  return Math.min(INTERVAL_MAX_MS, Math.max(INTERVAL_MIN_MS, hangTimeoutMs / 10));
}
