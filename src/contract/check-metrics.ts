import type { Metric } from '../metrics/app-metrics.ts';
import { CATALOG } from '../metrics/catalog.ts';
import { SYSTEM_METRICS } from '../metrics/of-system.ts';
import type { FieldError } from '../platform/errors.ts';
import type { App } from './app.ts';
import { mistakesAmong } from './declared.ts';

const NAME = /^[a-z][a-z0-9_]*$/;
/** Labels that `/metrics` adds itself. */
const RESERVED_LABELS: readonly string[] = ['le', 'child'];
/** The suffixes of a histogram's series. */
const SUFFIX = /_(?:bucket|sum|count)$/;

/** @returns the mistakes in the metrics of an app. Two metrics with one name could not be told apart. */
export function mistakesInMetrics({ features }: App): FieldError[] {
  return mistakesAmong(
    features.flatMap(({ name, metrics = {} }, place) =>
      Object.entries(metrics).map(([metric, meaning]) => ({
        name: metric,
        field: `features[${place}] (${name}) metrics.${metric}`,
        message: mistakeIn(metric, meaning),
      })),
    ),
  );
}

function mistakeIn(name: string, { type, unit, labels = [], bounds = [] }: Metric): string | undefined {
  if (!NAME.test(name)) return 'expected a name of lower-case letters, digits and _';
  if (isTaken(name)) return 'is a metric of the chassis; expected another name';
  if (SUFFIX.test(name)) return 'ends as the series of a histogram do; expected another name';
  if ((type === 'counter') !== name.endsWith('_total'))
    return type === 'counter'
      ? 'is a counter; expected a name that ends with _total'
      : `is a ${type}; expected a name that does not end with _total`;
  if (unit !== undefined && !name.replace(/_total$/, '').endsWith(`_${unit}`))
    return `expected a name that ends with _${unit}, its unit${type === 'counter' ? ', before _total' : ''}`;
  const label = labels.find((one) => !NAME.test(one) || RESERVED_LABELS.includes(one));
  if (label !== undefined)
    return `has the label ${label}; expected lower-case letters, digits and _, but not ${RESERVED_LABELS.join(' or ')}`;
  return bounds.every(
    (bound, index) => Number.isFinite(bound) && bound > (bounds[index - 1] ?? Number.NEGATIVE_INFINITY),
  )
    ? undefined
    : 'has bounds that do not rise';
}

function isTaken(name: string): boolean {
  return Object.hasOwn(CATALOG, name) || SYSTEM_METRICS.some((metric) => metric.name === name);
}
