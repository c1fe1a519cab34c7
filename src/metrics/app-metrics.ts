import type { Family } from './catalog.ts';

/** A metric of a feature. Use base units: seconds, bytes. */
export interface Metric extends Omit<Family, 'isPerChild'> {
  /** The unit with which the name ends, such as `seconds` in `things_wait_seconds`; a counter has `_total` after it. */
  readonly unit?: string;
}

/**
 * The metrics of one feature, by name. `/metrics` adds the prefix `ninelives_`. A counter's name ends with `_total`.
 */
export type Metrics = Readonly<Record<string, Metric>>;

/**
 * Every metric of the app. A feature adds its own by declaration merging. They then have types wherever it gets an
 * `observe`:
 *
 *     type Own = typeof metrics;
 *     declare module 'ninelives' {
 *       interface AppMetrics extends Own {}
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: an app fills it
export interface AppMetrics {}

type LabelsOf<Declared> = Declared extends { readonly labels: readonly (infer Label extends string)[] }
  ? [labels: Readonly<Record<Label, string>>]
  : [];

/**
 * Adds to a counter, sets a gauge, or puts a value into a histogram. Counters and histograms are summed over all
 * processes, and outlive them. A gauge belongs to its process (label `child`) and ends with it. Use labels with few
 * values: beyond 1,000 series of a process further ones are left out, and a label value is cut after 100 characters.
 * @param value finite; not negative for a counter
 * @throws TypeError for another value, and for a metric or labels that no feature declares
 */
export type Observe = <Name extends keyof AppMetrics & string>(
  name: Name,
  value: number,
  ...labels: LabelsOf<AppMetrics[Name]>
) => void;

/** @returns `metrics` unchanged, with their types inferred */
export function defineMetrics<const Own extends Metrics>(metrics: Own): Own {
  return metrics;
}
