import { setTimeout } from 'node:timers/promises';

/** Longest wait for something that should happen by itself, also on a busy machine. */
export const WAIT_TIMEOUT_MS = 60_000;

/** The pause between two checks grows, so that a long wait leaves the processor to others. */
const PAUSE_FIRST_MS = 5;
const PAUSE_MAX_MS = 25;

/**
 * Polls a condition for which there is no event.
 * @param what the condition, for the error
 * @throws Error after the timeout
 */
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
 * Waits for a promise, up to a timeout.
 * @param what is awaited, for the error; a function is called only after the timeout
 * @throws Error after the timeout
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
