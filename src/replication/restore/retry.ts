import { setTimeout as delay } from 'node:timers/promises';

const TRIES = 4;
const FIRST_PAUSE_MS = 200;
/** A connection that broke while it was read from; not a store that says nothing at all. */
const PASSES = /ECONNRESET|EPIPE|socket hang up|aborted|ended early/;

/**
 * Asks a store again for what may go well the next time.
 * @throws Error what the last try has ended with
 */
export async function retried<Result>(
  ask: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask();
    } catch (error) {
      const isWorthIt = PASSES.test((error as Error).message) && !signal?.aborted;
      if (tried === TRIES || !isWorthIt) throw error;
      await delay(FIRST_PAUSE_MS * 2 ** (tried - 1));
    }
  }
}
