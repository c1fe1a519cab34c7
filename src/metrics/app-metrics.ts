import type { Family } from './catalog.ts';

/** What a feature counts. Base units: seconds, bytes. */
export interface Metric extends Omit<Family, 'isPerChild'> {
  /** The unit that its name ends with: `seconds` of `things_wait_seconds`; before the `_total` of a counter. */
  readonly unit?: string;
}

/** The metrics of one feature by their names, to which `/metrics` adds `ninelives_`. A counter's ends with `_total`. */
export type Metrics = Readonly<Record<string, Metric>>;

/**
 * Every metric of the app. A feature adds its own by declaration merging, and they are typed wherever it gets an `observe`:
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
 * Adds to a counter, sets a gauge, or puts a value into a histogram. All processes' counts are summed and outlive them; a
 * gauge is each process' own, by the label `child`, and goes with it. Label values are few: beyond 1,000 series a process'
 * others are left out, and beyond 100 characters a value is cut.
 * @param value finite, and of a counter not negative
 * @throws TypeError for another, and for a metric or labels that no feature declares
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
