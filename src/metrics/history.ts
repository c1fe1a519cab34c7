import type { Series } from '../messages/series.ts';
import { boundsOf, type MetricName } from './catalog.ts';

/** What the system did in one interval, for a chart. It is sent as JSON, so an unknown value is null. */
export interface Sample {
  /** The end of the interval; milliseconds since the epoch. */
  readonly atMs: number;
  readonly requestsPerS: number;
  /** Answers with a status of 500 and above. */
  readonly errorsPerS: number;
  /** The upper bound of the bucket into which the percentile falls; null without a request. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly writesPerS: number;
  /** Average number of operations in a commit; null without a commit. */
  readonly batchOperations: number | null;
  readonly lagMs: number;
}

interface Sums {
  readonly atMs: number;
  readonly latencyCounts: readonly number[];
  readonly errors: number;
  readonly operations: number;
  readonly commits: number;
}

const KEPT_MAX = 300;
const MS_PER_S = 1000;
const LATENCY: MetricName = 'http_request_duration_seconds';
const BATCH: MetricName = 'writer_batch_operations';
const ERROR_STATUS_MIN = 500;

/** The samples of the last five minutes. Each `look` adds one, and the oldest ones are dropped. */
export class History {
  #last: Sums | undefined;
  #samples: Sample[] = [];

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** @param series the sums of the whole system at `atMs` */
  look(series: readonly Series[], lagMs: number, atMs: number): void {
    const sums = sumsOf(series, atMs);
    const last = this.#last;
    this.#last = sums;
    if (last === undefined || atMs <= last.atMs) return;
    this.#samples.push(sampleOf(last, sums, lagMs));
    if (this.#samples.length > KEPT_MAX) this.#samples.shift();
  }
}

function sumsOf(series: readonly Series[], atMs: number): Sums {
  const latencyCounts: number[] = Array(boundsOf(LATENCY).length + 1).fill(0);
  let errors = 0;
  let operations = 0;
  let commits = 0;
  for (const { name, labels, value, counts } of series) {
    if (counts === null) continue;
    if (name === LATENCY) {
      counts.forEach((count, bucket) => {
        latencyCounts[bucket]! += count;
      });
      if (Number(labels.status) >= ERROR_STATUS_MIN) errors += total(counts);
    } else if (name === BATCH) {
      operations += value;
      commits += total(counts);
    }
  }
  return { atMs, latencyCounts, errors, operations, commits };
}

function sampleOf(from: Sums, to: Sums, lagMs: number): Sample {
  const perS = (count: number) => (count * MS_PER_S) / (to.atMs - from.atMs);
  const counts = to.latencyCounts.map((count, bucket) => count - (from.latencyCounts[bucket] ?? 0));
  const commits = to.commits - from.commits;
  const operations = to.operations - from.operations;
  return {
    atMs: to.atMs,
    requestsPerS: perS(total(counts)),
    errorsPerS: perS(to.errors - from.errors),
    p50Ms: percentileMs(counts, 0.5),
    p99Ms: percentileMs(counts, 0.99),
    writesPerS: perS(operations),
    batchOperations: commits === 0 ? null : operations / commits,
    lagMs,
  };
}

/** @returns the upper bound of the bucket into which the percentile falls; for the last bucket, its lower bound */
function percentileMs(counts: readonly number[], share: number): number | null {
  const all = total(counts);
  if (all === 0) return null;
  const bounds = boundsOf(LATENCY);
  let seen = 0;
  const bucket = counts.findIndex((count) => {
    seen += count;
    return seen >= all * share;
  });
  return (bounds[Math.min(bucket, bounds.length - 1)] ?? 0) * MS_PER_S;
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
