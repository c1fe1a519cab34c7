const INTERVAL_MAX_MS = 500;
const INTERVAL_MIN_MS = 50;

/**
 * @param hangTimeoutMs how long an event loop may stand still
 * @returns how often a child sends a beat, in milliseconds, by which the detection of a hang is late
 */
export function beatIntervalMs(hangTimeoutMs: number): number {
  return Math.min(INTERVAL_MAX_MS, Math.max(INTERVAL_MIN_MS, hangTimeoutMs / 10));
}
