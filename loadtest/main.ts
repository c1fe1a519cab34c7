import { closeSync, openSync, writeFileSync } from 'node:fs';
import { compare } from './compare.ts';
import { comparisonTable, ratiosOf } from './comparison.ts';
import { describeMachine, machineLine, noiseWarning } from './machine.ts';
import { failureCount, type Measurement } from './measurement.ts';
import { type Options, parseOptions, USAGE, UsageError } from './options.ts';
import { Progress } from './progress.ts';
import { run, runTable } from './run.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;

/** What a command gives: for people, for programs, and for the exit code. */
interface Outcome {
  readonly text: string;
  readonly results: Readonly<Record<string, unknown>>;
  readonly measurements: readonly Measurement[];
  /** Those of this system; how its peers did does not count. */
  readonly ours: readonly Measurement[];
}

class Interrupted extends Error {}

const progress = new Progress();
const interrupt = new AbortController();
// Everything under way hears of it, ends what it has started, and only then does this process end.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => interrupt.abort(new Interrupted(`interrupted by ${name}`)));
}
process.on('uncaughtException', (error) => interrupt.abort(error));

process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (!options) {
      console.log(USAGE);
      return 0;
    }
    const { jsonFile } = options;
    // A path that cannot be written fails now, and not after all the load.
    if (jsonFile !== undefined && jsonFile !== '-') closeSync(openSync(jsonFile, 'a'));
    const machine = describeMachine();
    const { text, results, measurements, ours } = await execute(options);
    progress.clear();
    const json = `${JSON.stringify({ command: options.command, machine, options, ...results }, null, 2)}\n`;
    if (jsonFile === '-') process.stdout.write(json);
    else {
      if (jsonFile !== undefined) writeFileSync(jsonFile, json);
      console.log(`${text}\n\n${machineLine(machine)}`);
      const warning = noiseWarning(measurements, machine);
      if (warning) console.log(warning);
    }
    return ours.some(({ failures }) => failureCount(failures) > 0) ? EXIT_FAILED : 0;
  } catch (thrown) {
    progress.clear();
    // What fails after an interruption fails because of it.
    const error: unknown = interrupt.signal.aborted ? interrupt.signal.reason : thrown;
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof UsageError) console.error(`\n${USAGE}`);
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT_INTERRUPTED;
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

async function execute(options: Options): Promise<Outcome> {
  if (options.command === 'run') {
    const measurements = await run(options, progress, interrupt.signal);
    return { text: runTable(measurements), results: { measurements }, measurements, ours: measurements };
  }
  const turns = await compare(options, progress, interrupt.signal);
  return {
    text: comparisonTable(turns),
    results: { turns, ratios: ratiosOf(turns) },
    measurements: turns.map(({ measurement }) => measurement),
    ours: turns.filter(({ peer }) => peer === 'ours').map(({ measurement }) => measurement),
  };
}
