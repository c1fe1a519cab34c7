import { createRequire } from 'node:module';
import type { Series } from '../messages/series.ts';
import type { SystemSnapshot } from '../messages/snapshot.ts';
import { boundsIn, CATALOG, type Families, type Family } from './catalog.ts';
import type { Metric, Value } from './metric.ts';
import { describeSystem } from './of-system.ts';

/** Only the library's text format is used: all of the library would cost each worker 70 ms and 20 MB. */
const Registry: typeof import('@prometheus-io/client').Registry = createRequire(import.meta.url)(
  '@prometheus-io/client/lib/registry.js',
);

const PREFIX = 'ninelives_';

/** The Content-Type of the text that `expose` returns. */
export const CONTENT_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * @param ofApp the metrics that the app has declared
 * @returns the metrics of the whole system in Prometheus' text format
 */
export async function expose(
  snapshot: SystemSnapshot,
  series: readonly Series[],
  ofApp: Families,
): Promise<string> {
  return spell([...describeSystem(snapshot), ...countedIn(series, { ...CATALOG, ...ofApp })]);
}

/** @returns the counts of the processes, as metrics */
export function countedIn(series: readonly Series[], families: Families = CATALOG): Metric[] {
  return Object.entries(families).map(([name, family]) => metricOf(name, family, series));
}

/** @returns metrics in Prometheus' text format; those without a value are left out */
export async function spell(metrics: readonly Metric[]): Promise<string> {
  const registry = new Registry();
  for (const metric of metrics) {
    if (metric.values.length === 0) continue;
    const spelled = { ...metric, name: PREFIX + metric.name };
    // The library uses only these members of a metric.
    registry.registerMetric({ ...spelled, get: async () => spelled } as never);
  }
  return registry.metrics();
}

function metricOf(name: string, family: Family, series: readonly Series[]): Metric {
  const { type, help } = family;
  const own = series.filter((one) => one.name === name);
  return {
    name,
    type,
    help,
    values: own.flatMap((one): Value[] => (one.counts ? bucketsOf(one, family) : [one])),
  };
}

/** Prometheus' buckets are cumulative. */
function bucketsOf({ name, labels, value, counts }: Series, family: Family): Value[] {
  const full = PREFIX + name;
  const bounds = [...boundsIn(family).map(String), '+Inf'];
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
