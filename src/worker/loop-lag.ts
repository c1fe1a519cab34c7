const TICK_MS = 50;

/**
 * Tells whether this event loop keeps lagging. States: keeping up → overloaded (two ticks in a row came late) → keeping
 * up (one tick came in time). One late tick may be due to a single slow request: the requests that waited behind it are
 * still answered.
 */
export class LoopLag {
  #lateTicks = 0;

  /** @param limitMs how late a tick may come; 0 turns the check off */
  constructor(limitMs: number) {
    if (limitMs === 0) return;
    let lastMs = performance.now();
    setInterval(() => {
      const nowMs = performance.now();
      const isLate = nowMs - lastMs - TICK_MS > limitMs;
      this.#lateTicks = isLate ? this.#lateTicks + 1 : 0;
      lastMs = nowMs;
    }, TICK_MS).unref();
  }

  get overloaded(): boolean {
    return this.#lateTicks >= 2;
  }
}
