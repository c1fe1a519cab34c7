import { keepEvidence } from './evidence.ts';
import { Random } from './random.ts';
import { emptyResult, resultOf, type TrialResult } from './result.ts';
import type { Stage, StageOptions } from './stage.ts';
import { percentile } from './statistics.ts';
import { ALWAYS, figuresOf, type Limit, type Observation, type Size, type Trial } from './trial.ts';

type SizeOptions = Pick<RunOptions, 'short' | 'seconds' | 'rounds'>;

export interface RunOptions<SomeStage extends Stage = Stage> {
  /** Makes the stage of a trial. */
  readonly makeStage: (options: StageOptions) => SomeStage;
  /** The limits of every trial; by default `ALWAYS`. */
  readonly always?: readonly Limit[];
  readonly seed: number;
  readonly short: boolean;
  /** Replaces the length of trials that are measured in seconds. */
  readonly seconds: number | undefined;
  /** Replaces the number of injections of trials that are counted. */
  readonly rounds: number | undefined;
  /** Folder for the log and the failed requests of each trial. */
  readonly logsFolder: string | undefined;
  readonly signal: AbortSignal;
  readonly progress: (trial: string, text: string) => void;
}

/**
 * Runs one trial on its own stage, and judges it. An error in the trial becomes its verdict.
 * @throws the signal's reason when the trial is called off
 */
export async function runTrial<SomeStage extends Stage>(
  trial: Trial<SomeStage>,
  options: RunOptions<SomeStage>,
): Promise<TrialResult> {
  const { seed, signal } = options;
  signal.throwIfAborted();
  const startMs = performance.now();
  const obstacle = trial.obstacle?.();
  if (obstacle !== undefined) return { ...emptyResult(trial), verdict: 'skipped', reasons: [obstacle] };
  const random = new Random(seed, trial.name);
  const progress = (text: string) => options.progress(trial.name, text);
  const stage = options.makeStage({ random, seed, signal, progress });
  const calledOff = Promise.withResolvers<never>();
  const onAbort = () => calledOff.reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  calledOff.promise.catch(() => {});
  let result: TrialResult;
  try {
    const performed = perform(trial, stage, sizeOf(trial.size, options), options.always ?? ALWAYS);
    // When the trial is called off, what is still under way fails, because the stage ends the system.
    performed.catch(() => {});
    result = await Promise.race([performed, calledOff.promise]);
  } catch (error) {
    signal.throwIfAborted();
    result = { ...emptyResult(trial), reasons: [broke(error)] };
  } finally {
    signal.removeEventListener('abort', onAbort);
    progress('cleaning up');
    if (options.logsFolder !== undefined) keepEvidence(options.logsFolder, trial.name, stage, stage.records);
    await stage.close();
  }
  return { ...result, tookMs: performance.now() - startMs };
}

async function perform<SomeStage extends Stage>(
  trial: Trial<SomeStage>,
  stage: SomeStage,
  size: number,
  always: readonly Limit[],
): Promise<TrialResult> {
  stage.progress('starting');
  let failure: unknown;
  const observation = await trial.run(stage, size).catch((error: unknown): Observation => {
    // Even when a trial breaks off, the data is checked.
    failure = error;
    return { injected: 0 };
  });
  stage.signal.throwIfAborted();
  // Without a database there is no history: the reason why nothing came up says more.
  if (!stage.hasStarted) throw failure ?? new Error('no system came up');
  stage.progress('checking the history');
  const { records, figures } = await stage.settle().catch((error: unknown) => {
    throw failure ?? error;
  });
  const strangers = strangersThatDied(trial.victims, stage);
  const result = resultOf(
    trial,
    always,
    { ...observation, notes: [...(observation.notes ?? []), ...strangers] },
    {
      ...figuresOf(records),
      ...figures,
      'others that died': strangers.length,
      ...recoveryFigures(observation),
      ...observation.figures,
    },
    records,
  );
  return failure === undefined ? result : { ...result, reasons: [broke(failure), ...result.reasons] };
}

function broke(error: unknown): string {
  return `the trial broke: ${error instanceof Error ? error.message : String(error)}`;
}

function recoveryFigures({ recoveryMs = [] }: Observation): Record<string, number> {
  if (recoveryMs.length === 0) return {};
  return { 'recovery p99': percentile(recoveryMs, 0.99), 'worst recovery': percentile(recoveryMs, 1) };
}

/** @returns the log message of each child that died though the trial did not kill it */
function strangersThatDied(victims: RegExp | undefined, stage: Stage): readonly string[] {
  return stage.systems
    .flatMap(({ lines }) => lines)
    .filter(({ msg, level }) => level === 'error' && /^\S+ died: /.test(msg))
    .filter(({ child }) => !victims?.test(String(child)))
    .map(({ msg }) => msg);
}

function sizeOf(size: Size, { short, seconds, rounds }: SizeOptions): number {
  if (seconds !== undefined && size.unit === 'seconds') return seconds;
  if (rounds !== undefined && size.unit === 'times') return rounds;
  return short ? (size.short ?? size.full) : size.full;
}
