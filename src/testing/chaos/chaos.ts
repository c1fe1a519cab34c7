import { randomInt } from 'node:crypto';
import { AppStage, type TriedApp } from './app-stage.ts';
import { main } from './main.ts';
import type { TrialResult } from './result.ts';
import { runTrial } from './run.ts';
import { ALWAYS, atMost, type Limit } from './trial.ts';
import { trials } from './trials/index.ts';
import { inWords, needsSpeed } from './verdict.ts';

const SEED_MAX = 2 ** 31 - 1;
const ALWAYS_OF_APP: readonly Limit[] = [...ALWAYS, atMost(0, 'rows', "against the app's rules")];

/** The names of the trials that `holdTrial` and `chaos` know. */
export const trialNames: readonly string[] = trials.map(({ name }) => name);

export interface TrialOptions {
  /** Determines all random choices. By default it is random; the message of an error contains it. */
  readonly seed?: number;
  /** Seconds or times, as the trial counts. By default the size of its short form. */
  readonly size?: number;
}

/**
 * Runs one trial on the project's app: starts the app, keeps honest clients running against it, injects the fault, and
 * compares every answer with the data afterwards. The result tells how fast the app recovered, but slowness is no
 * reason to fail: the machine may be busy.
 *
 * @param name one of `trialNames`
 * @throws Error that says what did not hold
 */
export async function holdTrial(
  name: string,
  app: TriedApp,
  { seed = randomInt(SEED_MAX), size }: TrialOptions = {},
): Promise<TrialResult> {
  const trial = trials.find((one) => one.name === name);
  if (trial === undefined) throw new Error(`There is no trial ${name}: use one of ${trialNames.join(', ')}`);
  const result = await runTrial(trial, {
    makeStage: (options) => new AppStage(app, options),
    always: ALWAYS_OF_APP,
    seed,
    short: true,
    seconds: size,
    rounds: size,
    logsFolder: undefined,
    signal: new AbortController().signal,
    progress: () => {},
  });
  const broken = result.findings.filter((finding) => !finding.holds && !needsSpeed(finding)).map(inWords);
  // A trial that broke off has no findings, or has its reason besides them.
  const reasons = result.reasons.filter(
    (reason) => broken.includes(reason) || !result.findings.some((finding) => inWords(finding) === reason),
  );
  if (reasons.length > 0) throw new Error(`${name} (seed ${seed}): ${reasons.join('; ')}`);
  return result;
}

/**
 * The program of `npm run chaos`: runs every trial on the project's app, or those that the arguments name.
 * @param args the arguments, such as `--short`, `--only writer-killed`, `--help`
 * @returns the exit code
 */
export async function chaos(app: TriedApp, args: readonly string[] = process.argv.slice(2)): Promise<number> {
  const makeStage = (options: ConstructorParameters<typeof AppStage>[1]) => new AppStage(app, options);
  return await main({ trials, makeStage, always: ALWAYS_OF_APP }, args);
}
