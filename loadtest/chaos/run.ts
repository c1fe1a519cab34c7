import { join } from 'node:path';
import type { RequestRecord } from './clients/record.ts';
import { checkHistory, disagreementFigures } from './history/check.ts';
import { keepEvidence } from './evidence.ts';
import { Random } from './random.ts';
import { Stage } from './stage.ts';
import { percentile } from './statistics.ts';
import { ALWAYS, figuresOf, type Observation, type Trial } from './trial.ts';
import { type Finding, inWords, judge } from './verdict.ts';

export interface RunOptions {
  readonly seed: number;
  readonly short: boolean;
  /** In place of the length of those faults that last. */
  readonly seconds: number | undefined;
  /** Folder for the log and the failed requests of each trial. */
  readonly logsFolder: string | undefined;
  readonly signal: AbortSignal;
  readonly progress: (trial: string, text: string) => void;
}

/** One row of the table. */
export interface TrialResult {
  readonly name: string;
  readonly fault: string;
  readonly verdict: 'holds' | 'falls short' | 'skipped';
  /** Why not, in words; empty when it holds. */
  readonly reasons: readonly string[];
  readonly notes: readonly string[];
  readonly injected: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly worstMs: number;
  readonly recoveryMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly findings: readonly Finding[];
  readonly tookMs: number;
}

/**
 * Runs one trial on a stage of its own and judges it. What goes wrong in it is a verdict.
 * @throws the signal's reason when it is called off
 */
export async function runTrial(trial: Trial, options: RunOptions): Promise<TrialResult> {
  const { seed, signal } = options;
  signal.throwIfAborted();
  const startMs = performance.now();
  const obstacle = trial.obstacle?.();
  if (obstacle !== undefined) return { ...emptyResult(trial), verdict: 'skipped', reasons: [obstacle] };
  const random = new Random(seed, trial.name);
  const progress = (text: string) => options.progress(trial.name, text);
  const stage = new Stage({ random, seed, signal, progress });
  const calledOff = Promise.withResolvers<never>();
  const onAbort = () => calledOff.reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  calledOff.promise.catch(() => {});
  try {
    const result = perform(trial, stage, sizeOf(trial, options));
    // When it is called off, what is still under way fails with the system that the stage's end takes away.
    result.catch(() => {});
    return { ...(await Promise.race([result, calledOff.promise])), tookMs: performance.now() - startMs };
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return {
      ...emptyResult(trial),
      reasons: [`the trial broke: ${reason}`],
      tookMs: performance.now() - startMs,
    };
  } finally {
    signal.removeEventListener('abort', onAbort);
    progress('cleaning up');
    if (options.logsFolder !== undefined) keepEvidence(options.logsFolder, trial.name, stage, stage.records);
    await stage.close();
  }
}

async function perform(trial: Trial, stage: Stage, size: number): Promise<Omit<TrialResult, 'tookMs'>> {
  stage.progress('starting');
  const observation = await trial.run(stage, size);
  stage.progress('checking the history');
  const records = await stage.stopLoad();
  const { code } = await stage.stopSystem();
  const figures = {
    ...figuresOf(records),
    ...disagreementFigures(checkHistory(join(stage.dataDir, 'main.db'), records)),
    'others that died': strangersDied(trial, stage),
    'unclean stops': code === 0 ? 0 : 1,
    ...recoveryFigures(observation),
    ...observation.figures,
  };
  return rowOf(trial, observation, figures, records);
}

function rowOf(
  trial: Trial,
  { injected, recoveryMs = [], notes = [] }: Observation,
  figures: Readonly<Record<string, number>>,
  records: readonly RequestRecord[],
): Omit<TrialResult, 'tookMs'> {
  const findings = judge([...ALWAYS, ...trial.limits], figures);
  const broken = findings.filter(({ holds }) => !holds);
  return {
    name: trial.name,
    fault: trial.fault,
    verdict: broken.length === 0 ? 'holds' : 'falls short',
    reasons: broken.map(inWords),
    notes,
    injected,
    figures,
    worstMs: records.reduce((worst, { latencyMs }) => Math.max(worst, latencyMs), 0),
    recoveryMs: {
      p50: percentile(recoveryMs, 0.5),
      p99: percentile(recoveryMs, 0.99),
      max: percentile(recoveryMs, 1),
    },
    findings,
  };
}

function recoveryFigures({ recoveryMs = [] }: Observation): Record<string, number> {
  if (recoveryMs.length === 0) return {};
  return { 'recovery p99': percentile(recoveryMs, 0.99), 'worst recovery': percentile(recoveryMs, 1) };
}

/** Children that died though the trial had nothing against them. */
function strangersDied({ victims }: Trial, stage: Stage): number {
  const deaths = stage.systems
    .flatMap(({ lines }) => lines)
    .filter(({ msg, level }) => level === 'error' && /^\S+ died: /.test(msg));
  return deaths.filter(({ child }) => !victims?.test(String(child))).length;
}

function sizeOf({ size }: Trial, { short, seconds }: RunOptions): number {
  if (seconds !== undefined && size.unit === 'seconds') return seconds;
  return short ? size.short : size.full;
}

function emptyResult({ name, fault }: Trial): TrialResult {
  const none = { p50: Number.NaN, p99: Number.NaN, max: Number.NaN };
  return {
    name,
    fault,
    verdict: 'falls short',
    reasons: [],
    notes: [],
    injected: 0,
    figures: {},
    worstMs: Number.NaN,
    recoveryMs: none,
    findings: [],
    tookMs: 0,
  };
}
