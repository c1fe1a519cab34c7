/** How often the clock checks whether the process has stood still. */
const LOOK_INTERVAL_MS = 100;
/** A longer gap between two checks means that the process stood still, as on a suspended machine. */
const GAP_MIN_MS = 1000;

/** Something that happens later, unless it is cancelled. */
export interface Timer {
  cancel(): void;
}

/** The clock of supervision: monotonic, in milliseconds, without the time in which this process stood still. */
export interface Clock {
  nowMs(): number;
  /** Runs once after `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs at each interval, until it is cancelled. */
  every(intervalMs: number, run: () => void): Timer;
}

/**
 * The clock of this process. A timeout for a child must not count the time in which this process could not hear it: a
 * suspended machine, a stopped process, a turn of the event loop that took long. The clock is idle until it is first
 * read, and then checks at each interval (`#look`), so that it finds each gap.
 */
class ProcessClock implements Clock {
  #lastLookMs: number | undefined;
  #lostMs = 0;

  nowMs(): number {
    return this.#look() - this.#lostMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const dueMs = this.nowMs() + delayMs;
    const onTime = () => {
      const leftMs = dueMs - this.nowMs();
      // Timers count whole milliseconds, and may run up to one early.
      if (leftMs < 1) run();
      else timeout = setTimeout(onTime, leftMs);
    };
    let timeout = setTimeout(onTime, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  }

  every(intervalMs: number, run: () => void): Timer {
    const interval = setInterval(run, intervalMs);
    return { cancel: () => clearInterval(interval) };
  }

  #look(): number {
    const nowMs = performance.now();
    if (this.#lastLookMs === undefined) setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
    else if (nowMs - this.#lastLookMs > GAP_MIN_MS) this.#lostMs += nowMs - this.#lastLookMs;
    this.#lastLookMs = nowMs;
    return nowMs;
  }
}

export const processClock: Clock = new ProcessClock();
