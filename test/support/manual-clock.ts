import type { Clock, Timer } from '../../src/supervisor/clock.ts';

interface Due {
  atMs: number;
  readonly order: number;
  readonly intervalMs: number | undefined;
  readonly run: () => void;
}

/** A clock that stands still until it is advanced. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #due = new Set<Due>();

  nowMs(): number {
    return this.#nowMs;
  }

  /** How many things will still happen. */
  get pending(): number {
    return this.#due.size;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add(delayMs, undefined, run);
  }

  every(intervalMs: number, run: () => void): Timer {
    return this.#add(intervalMs, intervalMs, run);
  }

  /** Runs what is due meanwhile, in order. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      const [next] = [...this.#due]
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      if (!next) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.intervalMs === undefined) this.#due.delete(next);
      else next.atMs += next.intervalMs;
      next.run();
    }
    this.#nowMs = endMs;
  }

  #add(delayMs: number, intervalMs: number | undefined, run: () => void): Timer {
    this.#order += 1;
    const due: Due = { atMs: this.#nowMs + delayMs, order: this.#order, intervalMs, run };
    this.#due.add(due);
    return { cancel: () => void this.#due.delete(due) };
  }
}
