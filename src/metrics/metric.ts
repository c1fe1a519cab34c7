import type { Labels } from '../messages/series.ts';

/** One line of the metrics text, not yet formatted. */
export interface Value {
  readonly labels: Labels;
  readonly value: number;
  /** The name on the line, when it is not that of the metric, as for a histogram's buckets. */
  readonly metricName?: string;
}

/** One metric with all its series. */
export interface Metric {
  /** The name without the prefix `ninelives_`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly values: readonly Value[];
}
