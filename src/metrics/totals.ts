import type { Labels } from '../messages/series.ts';
import { type Series, type SeriesDelta, seriesKey } from '../messages/series.ts';

/** Most series. Labels have few values by design: beyond this number a process must be inventing them. */
const SERIES_MAX = 10_000;

interface Total {
  readonly name: string;
  readonly labels: Labels;
  value: number;
  counts: number[] | null;
  /** The process of a gauge: the gauge ends with it. */
  source: unknown;
}

/**
 * The sums of all processes' counts since the primary started. They outlive the processes, so a counter never falls.
 * States of a gauge: told (`add`) → forgotten (`forget`, when its process has died).
 */
export class Totals {
  readonly #totals = new Map<string, Total>();

  /** Adds the changes of one process. Series beyond the 10,000th are left out. @param source the process */
  add(source: unknown, deltas: readonly SeriesDelta[]): void {
    for (const delta of deltas) {
      const total = this.#of(delta.name, delta.labels);
      if (!total) continue;
      if ('add' in delta) total.value += delta.add;
      else if ('is' in delta) {
        total.value = delta.is;
        total.source = source;
      } else {
        total.value += delta.sum;
        // Another release may have other buckets: the histogram then starts again.
        const before = total.counts?.length === delta.counts.length ? total.counts : [];
        if (before.length === 0) total.value = delta.sum;
        total.counts = delta.counts.map((count, bucket) => count + (before[bucket] ?? 0));
      }
    }
  }

  forget(source: unknown): void {
    for (const [key, total] of this.#totals) if (total.source === source) this.#totals.delete(key);
  }

  /** @returns every series, in the order of their first values */
  series(): Series[] {
    return [...this.#totals.values()].map(({ name, labels, value, counts }) => ({
      name,
      labels,
      value,
      counts,
    }));
  }

  #of(name: string, labels: Labels): Total | undefined {
    const key = seriesKey(name, labels);
    const known = this.#totals.get(key);
    if (known || this.#totals.size >= SERIES_MAX) return known;
    const total: Total = { name, labels, value: 0, counts: null, source: undefined };
    this.#totals.set(key, total);
    return total;
  }
}
