/** Seconds, from a read that finds its page in memory to an answer that nobody waits for any more. */
export const LATENCY_BOUNDS_S = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** One metric, of which there may be many series. */
export interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Of an app's; those of the chassis' are known to whoever counts. */
  readonly labels?: readonly string[] | undefined;
  /** Each process has a series of its own, by its name. */
  readonly isPerChild?: boolean | undefined;
  /** Upper bounds of a histogram's buckets, rising; beyond the last one is a bucket without a bound. */
  readonly bounds?: readonly number[] | undefined;
}

/** By the name without `ninelives_`. */
export type Families = Readonly<Record<string, Family>>;

/**
 * What the processes of any app count of themselves, by the name without `ninelives_`. Base units, and labels of which there are
 * few: routes are patterns, never paths.
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

/** @returns the bounds of a histogram's buckets; empty for what is none */
export function boundsOf(name: MetricName): readonly number[] {
  return boundsIn(CATALOG[name]);
}

/** @returns the same of any metric */
export function boundsIn({ type, bounds = LATENCY_BOUNDS_S }: Family): readonly number[] {
  return type === 'histogram' ? bounds : [];
}
