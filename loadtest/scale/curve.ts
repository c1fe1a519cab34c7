import type { Context } from '../command.ts';
import type { Measurement } from '../measurement.ts';

/** One point of a curve, by one measurement or by a figure of another kind. */
export interface Point {
  readonly x: number;
  /** By the name of what was measured: `read requests/s`, `restart ms`. */
  readonly figures: Readonly<Record<string, number>>;
  /** What was busy, in words. */
  readonly busy?: string;
}

/** What came of one curve. */
export interface CurveResult {
  readonly name: string;
  readonly title: string;
  readonly xLabel: string;
  readonly points: readonly Point[];
  /** Why it bends, what limits it; one sentence each. */
  readonly remarks: readonly string[];
  readonly measurements: readonly Measurement[];
  /** Why there are no points. */
  readonly skipped?: string;
}

/** What all curves share. */
export interface ScaleOptions {
  readonly durationMs: number;
  readonly workers: number;
  readonly connections: number;
  /** The largest number of alerts. */
  readonly rowsMax: number;
}

/** How this system behaves as one thing grows. */
export interface Curve {
  readonly name: string;
  readonly title: string;
  readonly measure: (options: ScaleOptions, context: Context) => Promise<CurveResult>;
}
