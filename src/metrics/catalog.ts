/** In seconds: from a read whose page is in memory, to an answer for which no client waits any more. */
export const LATENCY_BOUNDS_S = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** One metric, which may have many series. */
export interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** The names of the labels. Declared only for metrics of an app. */
  readonly labels?: readonly string[] | undefined;
  /** Whether each process has its own series, with its name as label. */
  readonly isPerChild?: boolean | undefined;
  /** Rising upper bounds of a histogram's buckets; one more bucket, without a bound, follows the last one. */
  readonly bounds?: readonly number[] | undefined;
}

/** Metrics by name, without the prefix `ninelives_`. */
export type Families = Readonly<Record<string, Family>>;

/**
 * The metrics that the processes of every app count, by name without the prefix `ninelives_`. Base units, and labels
 * with few values: a route is a pattern, never a path.
 */
export const CATALOG = {
  http_request_duration_seconds: {
    type: 'histogram',
    help: 'From the first look at a request to the end of its answer, by route, method and status.',
    bounds: LATENCY_BOUNDS_S,
  },
  writer_commit_duration_seconds: {
    type: 'histogram',
    help: 'From the begin of a transaction to the end of its fsync.',
    bounds: LATENCY_BOUNDS_S,
  },
  writer_batch_operations: {
    type: 'histogram',
    help: 'Operations that shared one commit.',
    bounds: BATCH_BOUNDS,
  },
  writer_queue_operations: { type: 'gauge', help: 'Operations that wait for a commit.' },
  event_loop_lag_seconds: {
    type: 'gauge',
    help: 'The longest that a process kept its timers waiting, within its last beat (half a second).',
    isPerChild: true,
  },
  process_cpu_seconds_total: { type: 'counter', help: 'Processor time, user and system.', isPerChild: true },
  child_deaths_total: {
    type: 'counter',
    help: 'Processes that ended unasked, by role and cause: killed (by somebody else), fault (it failed, exited, or was not ready in time), hang (its event loop stood still).',
  },
  child_replaced_total: {
    type: 'counter',
    help: 'Processes that were exchanged for new ones which were ready before, by role.',
  },
  events_total: { type: 'counter', help: 'What happened, by kind: crash, restart, reload, stall, heal, …' },
} as const satisfies Families;

export type MetricName = keyof typeof CATALOG;

/** @returns the bounds of a histogram's buckets; empty for another type of metric */
export function boundsOf(name: MetricName): readonly number[] {
  return boundsIn(CATALOG[name]);
}

/** @returns the same as `boundsOf`, for any metric */
export function boundsIn({ type, bounds = LATENCY_BOUNDS_S }: Family): readonly number[] {
  return type === 'histogram' ? bounds : [];
}
