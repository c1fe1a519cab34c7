import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Interval, Latency, Percentile } from '../measurement.ts';

const US_PER_MS = 1000;
/** Enough for a chart wider than a screen. */
const INTERVALS_MAX = 1200;
const INTERVAL_STEP_MS = 250;
/** Timers may fire this much early; an interval that lacks no more than this is whole. */
const TIMER_SLACK_MS = 2;
const HIGHEST_US = 120_000_000;
const CURVE_POINTS_PER_NINE = 12;

interface OpenInterval {
  failed: number;
  readonly latencyUs: RecordableHistogram;
}

/**
 * Records the outcome of each request of the measured time, in total and by interval. Requests outside of it do not
 * count. States: closed → measuring (`begin`) → closed (`end`).
 */
export class Recorder {
  // autocannon's own histogram truncates latencies to whole milliseconds.
  readonly #latencyUs = histogram(3);
  readonly #intervals: OpenInterval[] = [];
  readonly #widthMs: number;
  #beginMs = Number.POSITIVE_INFINITY;
  #endMs = Number.POSITIVE_INFINITY;

  /** @param durationMs of the measured time */
  constructor(durationMs: number) {
    const steps = Math.ceil(durationMs / INTERVALS_MAX / INTERVAL_STEP_MS);
    this.#widthMs = Math.max(1, steps) * INTERVAL_STEP_MS;
  }

  /** @param nowMs by `performance.now()`, like every time here */
  begin(nowMs: number): void {
    this.#beginMs = nowMs;
  }

  end(nowMs: number): void {
    this.#endMs = nowMs;
  }

  /**
   * @param atMs when it happened: the answer in a closed loop, the moment when the request was due in an open one
   */
  answered(atMs: number, latencyMs: number, isWanted: boolean): void {
    const interval = this.#intervalAt(atMs);
    if (!interval) return;
    const latencyUs = Math.min(HIGHEST_US, Math.max(1, Math.round(latencyMs * US_PER_MS)));
    this.#latencyUs.record(latencyUs);
    interval.latencyUs.record(latencyUs);
    if (!isWanted) interval.failed += 1;
  }

  failed(atMs: number): void {
    const interval = this.#intervalAt(atMs);
    if (interval) interval.failed += 1;
  }

  get durationMs(): number {
    return this.#endMs - this.#beginMs;
  }

  get requests(): number {
    return this.#latencyUs.count;
  }

  get latencyMs(): Latency {
    return latencyOf(this.#latencyUs);
  }

  /** The percentile curve, denser towards 100 %, as far as the number of requests supports it. */
  get percentiles(): Percentile[] {
    const { count } = this.#latencyUs;
    if (count === 0) return [];
    const nines = Math.log10(count);
    return Array.from({ length: Math.floor(nines * CURVE_POINTS_PER_NINE) + 1 }, (_, index) => {
      const percent = 100 * (1 - 10 ** (-index / CURVE_POINTS_PER_NINE));
      return { percent, ms: this.#latencyUs.percentile(Math.max(percent, 0.001)) / US_PER_MS };
    });
  }

  /** The whole intervals. */
  get intervals(): Interval[] {
    const whole = Math.max(1, Math.floor((this.durationMs + TIMER_SLACK_MS) / this.#widthMs));
    return Array.from({ length: whole }, (_, index) => {
      const interval = this.#intervals[index];
      const ms = (percent: number) => (interval?.latencyUs.percentile(percent) ?? 0) / US_PER_MS;
      const isEmpty = interval === undefined || interval.latencyUs.count === 0;
      return {
        atMs: index * this.#widthMs,
        requests: interval?.latencyUs.count ?? 0,
        failed: interval?.failed ?? 0,
        p50Ms: isEmpty ? 0 : ms(50),
        p99Ms: isEmpty ? 0 : ms(99),
      };
    });
  }

  #intervalAt(atMs: number): OpenInterval | undefined {
    if (!(atMs >= this.#beginMs && atMs < this.#endMs)) return undefined;
    const index = Math.floor((atMs - this.#beginMs) / this.#widthMs);
    this.#intervals[index] ??= { failed: 0, latencyUs: histogram(2) };
    return this.#intervals[index];
  }
}

/** @param figures significant digits: 3 take 140 KB, 2 a tenth of that */
export function histogram(figures: 2 | 3): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: HIGHEST_US, figures });
}

/** @param latencyUs in microseconds */
export function latencyOf(latencyUs: RecordableHistogram): Latency {
  if (latencyUs.count === 0) return { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  const atMs = (percent: number) => latencyUs.percentile(percent) / US_PER_MS;
  return { p50: atMs(50), p90: atMs(90), p99: atMs(99), p999: atMs(99.9), max: latencyUs.max / US_PER_MS };
}
