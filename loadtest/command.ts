import type { Progress } from '../src/testing/chaos/progress.ts';
import type { OptionTable, Values } from '../src/testing/chaos/values.ts';
import type { Measurement } from './measurement.ts';

/** What a command may use while it runs. */
export interface Context {
  readonly progress: Progress;
  /** Aborts on an interruption; the command then ends all that it has started, and throws the signal's reason. */
  readonly signal: AbortSignal;
}

/** The result of a command: for people, for programs, and for the exit code. */
export interface Outcome {
  readonly text: string;
  /** The content of the JSON. */
  readonly results: Readonly<Record<string, unknown>>;
  /** Every measurement taken, to judge how quiet the machine was. */
  readonly measurements: readonly Measurement[];
  /** What is wrong, each in words; one is enough for exit code 1. */
  readonly complaints: readonly string[];
}

/** One thing that `npm run loadtest` can do. A new one is a file in commands/ and its line in commands/index.ts. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What else a reader should know. */
  readonly details?: string;
  readonly options: OptionTable;
  /**
   * Reads the options, and does not start anything yet.
   * @throws UsageError
   */
  readonly prepare: (values: Values) => (context: Context) => Promise<Outcome>;
}
