import type { Progress } from '../src/testing/chaos/progress.ts';
import type { OptionTable, Values } from '../src/testing/chaos/values.ts';
import type { Measurement } from './measurement.ts';

/** What a command has at hand while it runs. */
export interface Context {
  readonly progress: Progress;
  /** Fires on an interruption; the command then ends all that it has started, and throws its reason. */
  readonly signal: AbortSignal;
}

/** What a command gives: for people, for programs, and for the exit code. */
export interface Outcome {
  readonly text: string;
  /** What goes into the JSON. */
  readonly results: Readonly<Record<string, unknown>>;
  /** Every measurement that was taken, to tell how quiet the machine was. */
  readonly measurements: readonly Measurement[];
  /** What was not as it must be, each in words; one is enough for exit code 1. */
  readonly complaints: readonly string[];
}

/** One thing that `npm run loadtest` can do. A new one is a file in commands/ and its line in commands/index.ts. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What a reader should know beyond that. */
  readonly details?: string;
  readonly options: OptionTable;
  /**
   * Reads the options, and starts nothing yet.
   * @throws UsageError
   */
  readonly prepare: (values: Values) => (context: Context) => Promise<Outcome>;
}
