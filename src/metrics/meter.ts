import type { Labels, SeriesDelta } from '../messages/series.ts';
import { boundsOf, type MetricName } from './catalog.ts';

/** Counts values in buckets, such as durations or sizes. */
export interface Histogram {
  observe(value: number): void;
}

/**
 * The counts of one process. It keeps only what has not been sent to the primary yet. The primary keeps the sums, so
 * that they outlive the process. States of a series: touched (it has a change to send) → told (`take`).
 */
export class Meter {
  readonly #sources: (() => SeriesDelta | undefined)[] = [];

  /** @param read returns the total count so far, which only ever grows */
  counter(name: string, labels: Labels, read: () => number): void {
    let told = 0;
    this.#sources.push(() => {
      const add = read() - told;
      told += add;
      return add === 0 ? undefined : { name, labels, add };
    });
  }

  /** @param read returns the present value */
  gauge(name: string, labels: Labels, read: () => number): void {
    this.#sources.push(() => ({ name, labels, is: read() }));
  }

  /** @param bounds rising upper bounds of the buckets; needed for a metric that is not in the catalog */
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

  /** @returns the changes since the last call */
  take(): SeriesDelta[] {
    return this.#sources.flatMap((source) => source() ?? []);
  }
}
