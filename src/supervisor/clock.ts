/** How often it looks whether the process still runs. */
const LOOK_INTERVAL_MS = 100;
/** Between two looks: more means that the process stood still, as with a suspended machine. */
const GAP_MIN_MS = 1000;

/** Something that happens later, unless it is cancelled. */
export interface Timer {
  cancel(): void;
}

/** By which supervision measures time: monotonic, in milliseconds, without the time in which this process stood still. */
export interface Clock {
  nowMs(): number;
  /** Runs once after `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs again and again. */
  every(intervalMs: number, run: () => void): Timer;
}

/**
 * The clock of this process. What waits for a child must not count the time in which nothing could be heard of it: a
 * machine that was suspended, a process that was stopped, a turn of the event loop that took long. It is idle until it is
 * first asked, and then looks again and again (`#look`), so that each gap is found.
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
      // Timers count whole milliseconds, and may run a part of one early.
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
