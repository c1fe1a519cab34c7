import type { Mark } from '../measurement.ts';

/** One line of a chart. */
export interface Series {
  readonly label: string;
  /** In the order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Axis {
  readonly label: string;
  /** `nines` puts a percentile p at log10(100 / (100 - p)), so that each nine takes the same room. */
  readonly scale?: 'linear' | 'log' | 'nines';
}

export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** Whether it shows the section's marks: its x is seconds. */
  readonly hasMarks?: boolean;
}

/** A part of the report: figures first, then charts. */
export interface Section {
  readonly title: string;
  /** What a reader should know, one paragraph each. */
  readonly notes?: readonly string[];
  readonly figures?: readonly (readonly [label: string, value: string])[];
  readonly table?: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** What happened meanwhile: numbered, as lines in the charts over time, and in words. */
  readonly marks?: readonly Mark[];
  readonly charts: readonly Chart[];
}
