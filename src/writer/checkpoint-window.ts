import type { WalState } from '../sqlite/wal-index.ts';

/** A smaller WAL is left alone. A little more than Litestream's min-checkpoint-page-count, below which it does not try. */
const WAL_SMALL_BYTES = 24 * 1024 * 1024;
/** The window opens only when a checkpoint has copied most of the WAL, so that the rest is copied quickly. */
const BACKFILLED_SHARE_MIN = 0.75;
/** How long before the next look of Litestream the writer falls silent, and how long it stays so at the most. */
const LEAD_MS = 8;
const WINDOW_MS = 60;
const POLL_MS = 2;

/**
 * Keeps the WAL from growing for ever under writes without a pause. SQLite begins a WAL anew only when all of it has
 * been copied into the database, and Litestream's PASSIVE checkpoint copies what is there when it begins: a writer
 * that commits meanwhile is always ahead. So when the WAL is large, the writer is silent for the moment in which
 * Litestream looks at it the next time, which it does at a steady pace.
 *
 * States: small (the WAL is) → watching (large; the steps of the backfill tell the pace) → silent (the next look is
 * near) → small (the WAL began anew), or watching (it did not).
 */
export class CheckpointWindow {
  readonly #paceMs: number;
  #salt = '';
  #backfilledFrames = 0;
  #lastLookMs = Number.NEGATIVE_INFINITY;
  #silentUntilMs: number | undefined;

  /** @param paceMs how often Litestream looks at the WAL */
  constructor(paceMs: number) {
    this.#paceMs = paceMs;
  }

  /**
   * @param nowMs on a clock that nobody can set
   * @returns how long to wait before asking again; 0 to commit now
   */
  waitMs(wal: Omit<WalState, 'marks'>, nowMs: number): number {
    if (wal.salt !== this.#salt || wal.offsetBytes < WAL_SMALL_BYTES) {
      this.#salt = wal.salt;
      this.#backfilledFrames = wal.backfilledFrames;
      this.#silentUntilMs = undefined;
      return 0;
    }
    if (wal.backfilledFrames !== this.#backfilledFrames) {
      this.#backfilledFrames = wal.backfilledFrames;
      this.#lastLookMs = nowMs;
    }
    if (this.#silentUntilMs !== undefined) {
      if (nowMs < this.#silentUntilMs) return POLL_MS;
      this.#silentUntilMs = undefined;
      // It did not come; count from here to the next one.
      this.#lastLookMs = nowMs;
      return 0;
    }
    const sinceLookMs = nowMs - this.#lastLookMs;
    const isDue = sinceLookMs > this.#paceMs - LEAD_MS && sinceLookMs < this.#paceMs + WINDOW_MS;
    if (!isDue || wal.backfilledFrames < wal.frames * BACKFILLED_SHARE_MIN) return 0;
    this.#silentUntilMs = nowMs + WINDOW_MS;
    return POLL_MS;
  }
}
