import { createRequire } from 'node:module';
import type { SystemSnapshot } from '../child/snapshot.ts';
import { boundsOf, CATALOG, type Labels, type MetricName } from './catalog.ts';
import { describeSystem } from './of-system.ts';
import type { Series } from './series.ts';

/** Only the spelling is the library's: the rest of it would cost each worker 70 ms and 20 MB. */
const Registry: typeof import('@prometheus-io/client').Registry = createRequire(import.meta.url)(
  '@prometheus-io/client/lib/registry.js',
);

const PREFIX = 'ninelives_';

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

/** Of the answer that `expose` makes. */
export const CONTENT_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

/** @returns the whole system in Prometheus' text format */
export async function expose(snapshot: SystemSnapshot, series: readonly Series[]): Promise<string> {
  const registry = new Registry();
  const counted = (Object.keys(CATALOG) as MetricName[]).map((name) => metricOf(name, series));
  for (const metric of [...describeSystem(snapshot), ...counted]) {
    if (metric.values.length === 0) continue;
    const spelled = { ...metric, name: PREFIX + metric.name };
    // Of a metric it uses only this much.
    registry.registerMetric({ ...spelled, get: async () => spelled } as never);
  }
  return registry.metrics();
}

function metricOf(name: MetricName, series: readonly Series[]): Metric {
  const { type, help } = CATALOG[name];
  const own = series.filter((one) => one.name === name);
  return { name, type, help, values: own.flatMap((one): Value[] => (one.counts ? bucketsOf(one) : [one])) };
}

/** Cumulated, as Prometheus has them. */
function bucketsOf({ name, labels, value, counts }: Series): Value[] {
  const full = PREFIX + name;
  const bounds = [...boundsOf(name).map(String), '+Inf'];
  let count = 0;
  const buckets = bounds.map((le, bucket) => {
    count += counts?.[bucket] ?? 0;
    return { metricName: `${full}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${full}_sum`, labels, value },
    { metricName: `${full}_count`, labels, value: count },
  ];
}
