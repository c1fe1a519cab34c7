import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../files.ts';

const TRIES = 4;
const FIRST_PAUSE_MS = 200;
/** Worth a retry: a connection that broke while it was read from, but not a store that does not answer at all. */
const PASSES: readonly string[] = ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'];

/** @returns the error for an answer that is shorter than announced; it is retried */
export function endedEarly(): Error {
  return Object.assign(new Error('an answer ended early'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}

/**
 * Repeats a request to a store after an error that may pass.
 * @throws Error of the last try
 */
export async function retried<Result>(
  ask: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask();
    } catch (error) {
      const codes = [error, (error as Error).cause].map(errorCode);
      const isWorthIt = codes.some((code) => PASSES.includes(code)) && !signal?.aborted;
      if (tried === TRIES || !isWorthIt) throw error;
      await delay(FIRST_PAUSE_MS * 2 ** (tried - 1));
    }
  }
}
