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
  /** All random choices follow from it; random unless told, and part of what an error says. */
  readonly seed?: number;
  /** Seconds or times, as the trial counts; those of its short form unless told. */
  readonly size?: number;
}

/**
 * Holds one trial on the project's app: starts it, keeps honest clients on it, injects the fault, and holds every answer
 * against what is there afterwards. How fast it recovers is told in the result, and is not a reason to fail: a busy machine is
 * slow.
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
  // One that broke off has no findings, or says why beside them.
  const reasons = result.reasons.filter(
    (reason) => broken.includes(reason) || !result.findings.some((finding) => inWords(finding) === reason),
  );
  if (reasons.length > 0) throw new Error(`${name} (seed ${seed}): ${reasons.join('; ')}`);
  return result;
}

/**
 * The program of `npm run chaos`: every trial on the project's app, or those that the words ask for.
 * @param args such as `--short`, `--only writer-killed`, `--help`
 * @returns the exit code
 */
export async function chaos(app: TriedApp, args: readonly string[] = process.argv.slice(2)): Promise<number> {
  const makeStage = (options: ConstructorParameters<typeof AppStage>[1]) => new AppStage(app, options);
  return await main({ trials, makeStage, always: ALWAYS_OF_APP }, args);
}
