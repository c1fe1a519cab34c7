/** Something that happens later, unless it is cancelled. */
export interface Timer {
  cancel(): void;
}

/** By which supervision measures time: monotonic, in milliseconds. */
export interface Clock {
  nowMs(): number;
  /** Runs once after `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs again and again. */
  every(intervalMs: number, run: () => void): Timer;
}

/** The clock of this process. */
export const processClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const timeout = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
  every(intervalMs, run) {
    const interval = setInterval(run, intervalMs);
    return { cancel: () => clearInterval(interval) };
  },
};
