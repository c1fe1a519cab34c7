export type Labels = Readonly<Record<string, string>>;

/** What a process has counted in one series since it last reported; JSON, for its way to the primary. */
export type SeriesDelta =
  | { readonly name: string; readonly labels: Labels; readonly add: number }
  /** The value itself, which replaces the previous one. */
  | { readonly name: string; readonly labels: Labels; readonly is: number }
  /** One count for each bucket, not cumulated; the bucket without a bound comes last. */
  | {
      readonly name: string;
      readonly labels: Labels;
      readonly counts: readonly number[];
      readonly sum: number;
    };

/** One series of the whole system: its value, or its buckets as in `SeriesDelta`. */
export interface Series {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
  readonly counts: readonly number[] | null;
}

/** @returns one unique key for a series' name and labels */
export function seriesKey(name: string, labels: Labels): string {
  return `${name}${JSON.stringify(labels)}`;
}
