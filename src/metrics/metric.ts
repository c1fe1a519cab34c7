import type { Labels } from '../messages/series.ts';

/** One line of an exposition, but for its spelling. */
export interface Value {
  readonly labels: Labels;
  readonly value: number;
  /** Where it is not the metric's own, as for a histogram's buckets. */
  readonly metricName?: string;
}

/** One metric with all its series. */
export interface Metric {
  /** Without the prefix. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly values: readonly Value[];
}
