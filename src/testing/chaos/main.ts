import { writeFileSync } from 'node:fs';
import { type ChaosOptions, parseOptions, USAGE } from './options.ts';
import { runProgram } from './program.ts';
import { Progress } from './progress.ts';
import { renderReport, verdictLine } from './report.ts';
import type { TrialResult } from './result.ts';
import { runTrial } from './run.ts';
import type { Stage, StageOptions } from './stage.ts';
import { ALWAYS, type Limit, type Trial } from './trial.ts';

const EXIT_FELL_SHORT = 1;

/** What the command runs. */
export interface ChaosProgram<SomeStage extends Stage> {
  readonly trials: readonly Trial<SomeStage>[];
  readonly makeStage: (options: StageOptions) => SomeStage;
  /** The limits of every trial; by default `ALWAYS`. */
  readonly always?: readonly Limit[];
  /** The machine on which it runs; written with the results. */
  readonly machine?: { readonly line: string };
}

/** Runs the trials that a command line asks for. @returns the exit code */
export async function main<SomeStage extends Stage>(
  program: ChaosProgram<SomeStage>,
  args: readonly string[],
): Promise<number> {
  return runProgram({
    usage: () => USAGE,
    async run(signal) {
      const options = parseOptions(args, program.trials);
      if (options === undefined) console.log(USAGE);
      else if (options.list) console.log(listOf(options.trials, program.always ?? ALWAYS));
      else return run(program, options, signal);
      return 0;
    },
  });
}

async function run<SomeStage extends Stage>(
  { makeStage, always = ALWAYS, machine }: ChaosProgram<SomeStage>,
  options: ChaosOptions<SomeStage>,
  signal: AbortSignal,
): Promise<number> {
  const { trials: chosen, seed, short, seconds, rounds, jsonFile, logsFolder } = options;
  const progress = new Progress();
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
        progress: (name, text) => progress.show(`[${place}] ${name}: ${text}`, name),
      });
      results.push(result);
      progress.note(`[${place}] ${result.name}: ${verdictLine(result)}`);
    }
  } finally {
    progress.clear();
    // Also after an interruption: the results so far are printed.
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
