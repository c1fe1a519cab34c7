import { writeFileSync } from 'node:fs';
import { type ChaosOptions, parseOptions, USAGE, UsageError } from './options.ts';
import { ChaosProgress } from './progress.ts';
import { renderReport, verdictLine } from './report.ts';
import type { TrialResult } from './result.ts';
import { runTrial } from './run.ts';
import type { Stage, StageOptions } from './stage.ts';
import { ALWAYS, type Limit, type Trial } from './trial.ts';

const EXIT_FELL_SHORT = 1;
const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;

class Interrupted extends Error {}

/** What the command runs. */
export interface ChaosProgram<SomeStage extends Stage> {
  readonly trials: readonly Trial<SomeStage>[];
  readonly makeStage: (options: StageOptions) => SomeStage;
  /** What must hold in every trial, in place of `ALWAYS`. */
  readonly always?: readonly Limit[];
  /** Where it runs: written with the results. */
  readonly machine?: { readonly line: string };
}

/** Runs trials as the words of a command line say. @returns the exit code */
export async function main<SomeStage extends Stage>(
  program: ChaosProgram<SomeStage>,
  args: readonly string[],
): Promise<number> {
  const interrupt = new AbortController();
  // Whatever is under way hears of it and ends what it has started; only then does this process end.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => interrupt.abort(new Interrupted(`interrupted by ${name}`)));
  }
  process.on('uncaughtException', (error) => interrupt.abort(error));
  try {
    const options = parseOptions(args, program.trials);
    if (!options) {
      console.log(USAGE);
      return 0;
    }
    if (options.list) {
      console.log(listOf(options.trials, program.always ?? ALWAYS));
      return 0;
    }
    return await run(program, options, interrupt.signal);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof UsageError) console.error(`\n${USAGE}`);
    if (error instanceof Interrupted) return EXIT_INTERRUPTED;
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FELL_SHORT;
  }
}

async function run<SomeStage extends Stage>(
  { makeStage, always = ALWAYS, machine }: ChaosProgram<SomeStage>,
  options: ChaosOptions<SomeStage>,
  signal: AbortSignal,
): Promise<number> {
  const { trials: chosen, seed, short, seconds, rounds, jsonFile, logsFolder } = options;
  const progress = new ChaosProgress();
  progress.note(`seed ${seed}`);
  const results: TrialResult[] = [];
  try {
    for (const [index, trial] of chosen.entries()) {
      const place = `${index + 1}/${chosen.length}`;
      const result = await runTrial(trial, {
        makeStage,
        always,
        seed,
        short,
        seconds,
        rounds,
        logsFolder,
        signal,
        progress: (name, text) => progress.show(place, name, text),
      });
      results.push(result);
      progress.note(`[${place}] ${result.name}: ${verdictLine(result)}`);
    }
  } finally {
    progress.clear();
    // Also what there is when it is interrupted.
    if (results.length > 0) {
      console.log(
        `${renderReport(results)}\n\nseed ${seed}${machine === undefined ? '' : ` · ${machine.line}`}`,
      );
    }
    if (jsonFile !== undefined) {
      writeFileSync(jsonFile, `${JSON.stringify({ machine, seed, short, results }, null, 2)}\n`);
    }
  }
  return results.some(({ verdict }) => verdict === 'falls short') ? EXIT_FELL_SHORT : 0;
}

function listOf(
  chosen: readonly Pick<Trial, 'name' | 'fault' | 'limits'>[],
  always: readonly Limit[],
): string {
  const rows = [{ name: 'in every trial', fault: '', limits: always }, ...chosen];
  const width = Math.max(...rows.map(({ name }) => name.length));
  return rows
    .map(({ name, fault, limits }) => {
      const lines = limits.map((limit) => `${' '.repeat(width)}    ${limitInWords(limit)}`);
      return [`${name.padEnd(width)}  ${fault}`.trimEnd(), ...lines].join('\n');
    })
    .join('\n');
}

function limitInWords({ figure, max, min, unit }: Limit): string {
  return max === undefined ? `${figure} ≥ ${min} ${unit}` : `${figure} ≤ ${max} ${unit}`;
}
