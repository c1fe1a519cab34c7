import { UsageError } from './values.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;

class Interrupted extends Error {}

export interface ProgramOptions {
  /** The program; it returns the exit code. When the signal fires, it must end, with all that it has started. */
  readonly run: (signal: AbortSignal) => number | Promise<number>;
  /** The text that follows the message about a wrong command line. */
  readonly usage: () => string;
  /** Called before a failure is printed. */
  readonly clear?: () => void;
}

/** Runs a program that starts other processes, and must end them however it ends. @returns the exit code */
export async function runProgram({ run, usage, clear }: ProgramOptions): Promise<number> {
  const interrupt = new AbortController();
  // The signal is passed on: what is under way ends what it has started, and only then this process ends.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => interrupt.abort(new Interrupted(`interrupted by ${name}`)));
  }
  process.on('uncaughtException', (error) => interrupt.abort(error));
  try {
    return await run(interrupt.signal);
  } catch (thrown) {
    clear?.();
    // An error after an interruption is a consequence of it.
    const error: unknown = interrupt.signal.aborted ? interrupt.signal.reason : thrown;
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof Interrupted) return EXIT_INTERRUPTED;
    if (!(error instanceof UsageError)) return EXIT_FAILED;
    console.error(`\n${usage()}`);
    return EXIT_USAGE;
  }
}
