import { setTimeout } from 'node:timers/promises';

/** Longest wait for what should happen by itself, also on a machine that is busy. */
export const WAIT_TIMEOUT_MS = 60_000;

/** Between two looks: the first ones come soon, and a long wait leaves the processor to what it waits for. */
const PAUSE_FIRST_MS = 5;
const PAUSE_MAX_MS = 25;

/** Polls a condition that no event tells of. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = WAIT_TIMEOUT_MS,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (let pauseMs = PAUSE_FIRST_MS; !(await condition()); pauseMs = Math.min(pauseMs * 1.2, PAUSE_MAX_MS)) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await setTimeout(pauseMs);
  }
}

/**
 * Waits for what an event brings, and no longer than its bound.
 * @param what is waited for; a function is asked when it did not come
 */
export async function within<Value>(
  event: Promise<Value>,
  what: string | (() => string),
  timeoutMs = WAIT_TIMEOUT_MS,
): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = globalThis.setTimeout(() => {
    reject(new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`));
  }, timeoutMs);
  return await Promise.race([event, late]).finally(() => clearTimeout(timer));
}
