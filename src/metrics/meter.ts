import type { Labels, SeriesDelta } from '../messages/series.ts';
import { boundsOf, type MetricName } from './catalog.ts';

/** Counts how often what took how long, or was how large. */
export interface Histogram {
  observe(value: number): void;
}

/**
 * What one process counts of itself. It keeps only what the primary has not heard yet: the sums are the primary's, so
 * that they outlive the process. A series is: touched (it has something to tell) → told (`take`).
 */
export class Meter {
  readonly #sources: (() => SeriesDelta | undefined)[] = [];

  /** @param read the whole count so far; only ever grows */
  counter(name: string, labels: Labels, read: () => number): void {
    let told = 0;
    this.#sources.push(() => {
      const add = read() - told;
      told += add;
      return add === 0 ? undefined : { name, labels, add };
    });
  }

  /** @param read the value now */
  gauge(name: string, labels: Labels, read: () => number): void {
    this.#sources.push(() => ({ name, labels, is: read() }));
  }

  /** @param bounds upper ones of its buckets, rising, of what is not in the catalog */
  histogram(name: MetricName, labels: Labels): Histogram;
  histogram(name: string, labels: Labels, bounds: readonly number[]): Histogram;
  histogram(name: string, labels: Labels, bounds = boundsOf(name as MetricName)): Histogram {
    const { length } = bounds;
    let counts: number[] = Array(length + 1).fill(0);
    let sum = 0;
    let isTouched = false;
    this.#sources.push(() => {
      if (!isTouched) return undefined;
      const delta = { name, labels, counts, sum };
      counts = Array(length + 1).fill(0);
      sum = 0;
      isTouched = false;
      return delta;
    });
    return {
      observe(value) {
        let bucket = 0;
        while (bucket < length && value > bounds[bucket]!) bucket += 1;
        counts[bucket]! += 1;
        sum += value;
        isTouched = true;
      },
    };
  }

  /** @returns what has come since the last time */
  take(): SeriesDelta[] {
    return this.#sources.flatMap((source) => source() ?? []);
  }
}
