import type { Confirmation } from '../confirmation.ts';
import { isCovered, isReached, type Position } from './position.ts';

interface Waiting {
  readonly database: string;
  readonly position: Position;
  readonly done: () => void;
}

/** What is known of how far the replica is, and who waits for more of it. */
export class Confirmations {
  readonly #last = new Map<string, Confirmation>();
  readonly #waiting = new Set<Waiting>();

  /** Takes note of what Litestream has confirmed. */
  note(confirmation: Confirmation): void {
    this.#last.set(confirmation.database, confirmation);
    for (const waiting of this.#waiting) {
      if (waiting.database !== confirmation.database) continue;
      if (isReached(waiting.position, confirmation)) waiting.done();
    }
  }

  /**
   * Resolves when the replica holds everything up to a position that was noted in this turn.
   * @returns false when the time is up before
   * @throws the signal's reason when aborted
   */
  async reached(
    database: string,
    position: Position,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const known = this.#last.get(database);
    if (known && isCovered(position, known)) return true;
    signal.throwIfAborted();
    // What was confirmed before is no newer WAL.
    const olderSalts = new Set(position.olderSalts);
    if (known && known.salt !== position.salt) olderSalts.add(known.salt);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const waiting = { database, position: { ...position, olderSalts }, done: () => resolve(true) };
    this.#waiting.add(waiting);
    const timer = setTimeout(() => resolve(false), timeoutMs);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      this.#waiting.delete(waiting);
    }
  }
}
