import { UsageError } from './values.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;

class Interrupted extends Error {}

export interface ProgramOptions {
  /** Does it, and returns the exit code. The signal fires when it is to end, and end all that it has started. */
  readonly run: (signal: AbortSignal) => number | Promise<number>;
  /** What is told beside the message of a wrong command line. */
  readonly usage: () => string;
  /** Called before a failure is told. */
  readonly clear?: () => void;
}

/** Runs a program that starts others and has to end them, whatever ends it. @returns the exit code */
export async function runProgram({ run, usage, clear }: ProgramOptions): Promise<number> {
  const interrupt = new AbortController();
  // Everything under way hears of it, ends what it has started, and only then does this process end.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => interrupt.abort(new Interrupted(`interrupted by ${name}`)));
  }
  process.on('uncaughtException', (error) => interrupt.abort(error));
  try {
    return await run(interrupt.signal);
  } catch (thrown) {
    clear?.();
    // What fails after an interruption fails because of it.
    const error: unknown = interrupt.signal.aborted ? interrupt.signal.reason : thrown;
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof Interrupted) return EXIT_INTERRUPTED;
    if (!(error instanceof UsageError)) return EXIT_FAILED;
    console.error(`\n${usage()}`);
    return EXIT_USAGE;
  }
}
