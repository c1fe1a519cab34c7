import type { Context } from '../command.ts';
import type { Measurement } from '../measurement.ts';

/** One point of a curve: measurements, or figures of another kind. */
export interface Point {
  readonly x: number;
  /** By name: `read requests/s`, `restart ms`. */
  readonly figures: Readonly<Record<string, number>>;
  /** What was busy, in words. */
  readonly busy?: string;
}

/** The result of one curve. */
export interface CurveResult {
  readonly name: string;
  readonly title: string;
  readonly xLabel: string;
  readonly points: readonly Point[];
  /** Why the curve bends and what limits it, one sentence each. */
  readonly remarks: readonly string[];
  readonly measurements: readonly Measurement[];
  /** Why there are no points. */
  readonly skipped?: string;
}

/** The options of all curves. */
export interface ScaleOptions {
  readonly durationMs: number;
  readonly workers: number;
  readonly connections: number;
  /** The largest number of alerts. */
  readonly rowsMax: number;
}

/** A measurement of how this system behaves as one dimension grows. */
export interface Curve {
  readonly name: string;
  readonly title: string;
  readonly measure: (options: ScaleOptions, context: Context) => Promise<CurveResult>;
}
