import type { WalState } from '../sqlite/wal-index.ts';

/** A smaller WAL is left alone. A little above Litestream's min-checkpoint-page-count, below which it does not try. */
const WAL_SMALL_BYTES = 24 * 1024 * 1024;
/** The writer pauses only when most of the WAL has been copied already, so that the rest is copied quickly. */
const BACKFILLED_SHARE_MIN = 0.75;
/** How long before Litestream's next look the writer pauses, and the longest that the pause lasts. */
const LEAD_MS = 8;
const WINDOW_MS = 60;
const POLL_MS = 2;

/**
 * Keeps the WAL from growing without end under continuous writes. SQLite restarts a WAL only when all of it has been
 * copied into the database. Litestream's PASSIVE checkpoint copies the frames that exist when it begins, so a writer
 * that commits meanwhile always stays ahead. So when the WAL is large, the writer pauses for the few milliseconds
 * around Litestream's next look, which comes at a steady pace.
 *
 * States and what moves them: small (the WAL is below the bound) → watching (it is large; each step of the backfill
 * shows when Litestream looked) → silent (the next look is near) → small (the WAL restarted) or watching (it did not).
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
   * @param nowMs on the monotonic clock
   * @returns how long to wait before asking again, in milliseconds; 0: commit now
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
      // The pause is over and the WAL did not restart: expect the next look one pace from now.
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
