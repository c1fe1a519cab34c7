import type { RequestRecord } from '../record.ts';
import { percentile } from './statistics.ts';
import type { Limit, Observation, Trial } from './trial.ts';
import { type Finding, inWords, judge } from './verdict.ts';

type AnyTrial = Pick<Trial, 'name' | 'fault' | 'limits'>;

/** The result of one trial, which is one row of the table. Figures that were not measured are NaN. */
export interface TrialResult {
  readonly name: string;
  readonly fault: string;
  readonly verdict: 'holds' | 'falls short' | 'skipped';
  /** Why the trial does not hold, in words; empty when it does. */
  readonly reasons: readonly string[];
  readonly notes: readonly string[];
  readonly injected: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly worstMs: number;
  readonly recoveryMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly findings: readonly Finding[];
  readonly tookMs: number;
}

/** @returns the result of a trial that was run and observed */
export function resultOf(
  trial: AnyTrial,
  always: readonly Limit[],
  { injected, recoveryMs = [], notes = [] }: Observation,
  figures: Readonly<Record<string, number>>,
  records: readonly RequestRecord[],
): TrialResult {
  const findings = judge([...always, ...trial.limits], figures);
  const broken = findings.filter(({ holds }) => !holds);
  return {
    ...emptyResult(trial),
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

/** @returns the row of a trial that did not take place */
export function emptyResult({ name, fault }: AnyTrial): TrialResult {
  return {
    name,
    fault,
    verdict: 'falls short',
    reasons: [],
    notes: [],
    injected: 0,
    figures: {},
    worstMs: Number.NaN,
    recoveryMs: { p50: Number.NaN, p99: Number.NaN, max: Number.NaN },
    findings: [],
    tookMs: 0,
  };
}
