import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { milliseconds } from '../src/testing/chaos/table.ts';
import { UsageError } from '../src/testing/chaos/values.ts';
import { failedPercent, type Latency, type Measurement } from './measurement.ts';

export const THRESHOLDS_FILE = new URL('./thresholds.json', import.meta.url).pathname;
/** The peer that throughput is compared with. */
export const BASELINE = 'bare-http';
const WITH_FAULT = 'any, with a fault';
const PERCENTILES = ['p50', 'p90', 'p99', 'p999', 'max'] as const;

const LATENCY = /^(p50|p90|p99|p999|max) (<=?) (\d+(?:\.\d+)?) ms$/;
const FAILED = /^failed (<=?) (\d+(?:\.\d+)?) %$/;
const THROUGHPUT = /^throughput >= (\d+(?:\.\d+)?) of ([a-z-]+)$/;
const EXPECTED = `expected such as "p99 < 50 ms" (${PERCENTILES.join(', ')}), "failed <= 0 %" or "throughput >= 0.5 of read"`;

/** One parsed line of the file. */
export type Threshold =
  | {
      readonly kind: 'latency';
      readonly of: keyof Latency;
      readonly isInclusive: boolean;
      readonly maxMs: number;
    }
  | { readonly kind: 'failed'; readonly isInclusive: boolean; readonly maxPercent: number }
  /** Requests a second, as a multiple of another scenario's or of the baseline's in the same run. */
  | { readonly kind: 'throughput'; readonly minRatio: number; readonly of: string };

/** By scenario. */
export type Thresholds = ReadonlyMap<string, readonly Threshold[]>;

/**
 * @param path a JSON file: scenario → thresholds in words
 * @throws UsageError when it cannot be read or holds something else
 */
export function readThresholds(path: string): Thresholds {
  try {
    const given = z.record(z.string(), z.array(z.string())).parse(JSON.parse(readFileSync(path, 'utf8')));
    return new Map(Object.entries(given).map(([scenario, texts]) => [scenario, texts.map(parseThreshold)]));
  } catch (error) {
    throw new UsageError(`--thresholds: ${path}: ${(error as Error).message}`);
  }
}

/** @throws Error when the text is not a threshold */
export function parseThreshold(text: string): Threshold {
  const latency = LATENCY.exec(text);
  if (latency) {
    const of = latency[1] as keyof Latency;
    return { kind: 'latency', of, isInclusive: latency[2] === '<=', maxMs: Number(latency[3]) };
  }
  const failed = FAILED.exec(text);
  if (failed) return { kind: 'failed', isInclusive: failed[1] === '<=', maxPercent: Number(failed[2]) };
  const throughput = THROUGHPUT.exec(text);
  if (throughput) return { kind: 'throughput', minRatio: Number(throughput[1]), of: throughput[2]! };
  throw new Error(`${text}: ${EXPECTED}`);
}

/** @returns whether one of these scenarios' thresholds needs the baseline */
export function needsBaseline(thresholds: Thresholds, scenarioNames: readonly string[]): boolean {
  return scenarioNames.some((name) =>
    thresholds.get(name)?.some((threshold) => threshold.kind === 'throughput' && threshold.of === BASELINE),
  );
}

/** The result of comparing the measurements with the thresholds. */
export interface Judgement {
  /** The thresholds that were crossed, in words. */
  readonly crossings: readonly string[];
  /** The thresholds that could not be judged, in words. */
  readonly skipped: readonly string[];
  readonly judged: number;
}

/**
 * @param measurements of one run
 * @param baselinePerSecond undefined when it was not measured
 * @param hasFaults whether a fault was injected: other failures are then allowed
 */
export function judge(
  measurements: readonly Measurement[],
  thresholds: Thresholds,
  baselinePerSecond: number | undefined,
  hasFaults: boolean,
): Judgement {
  const rates = new Map(measurements.map(({ scenario, requestsPerSecond }) => [scenario, requestsPerSecond]));
  if (baselinePerSecond !== undefined) rates.set(BASELINE, baselinePerSecond);
  const verdicts = measurements.flatMap((measurement) => {
    return thresholdsOf(measurement.scenario, thresholds, hasFaults).map((threshold) =>
      verdictOn(measurement, threshold, rates),
    );
  });
  return {
    crossings: verdicts.flatMap(({ crossing }) => crossing ?? []),
    skipped: verdicts.flatMap(({ skipped }) => skipped ?? []),
    judged: verdicts.filter(({ skipped }) => skipped === undefined).length,
  };
}

function thresholdsOf(scenario: string, thresholds: Thresholds, hasFaults: boolean): readonly Threshold[] {
  // A scenario without thresholds must not fail unnoticed.
  const own = thresholds.get(scenario) ?? [{ kind: 'failed', isInclusive: true, maxPercent: 0 } as const];
  if (!hasFaults) return own;
  return [...own.filter(({ kind }) => kind !== 'failed'), ...(thresholds.get(WITH_FAULT) ?? [])];
}

interface Verdict {
  readonly crossing?: string;
  readonly skipped?: string;
}

function verdictOn(
  measurement: Measurement,
  threshold: Threshold,
  rates: ReadonlyMap<string, number>,
): Verdict {
  const { scenario, latencyMs, requestsPerSecond, load } = measurement;
  if (threshold.kind === 'latency') {
    const { of, maxMs, isInclusive } = threshold;
    const valueMs = latencyMs[of];
    if (isInclusive ? valueMs <= maxMs : valueMs < maxMs) return {};
    return { crossing: `${scenario}: ${of} was ${milliseconds(valueMs)} ms; it must be below ${maxMs} ms` };
  }
  if (threshold.kind === 'failed') {
    const percent = failedPercent(measurement);
    if (threshold.isInclusive ? percent <= threshold.maxPercent : percent < threshold.maxPercent) return {};
    const { errors, lost, timeouts, non2xx } = measurement.failures;
    return {
      crossing: `${scenario}: ${percent.toFixed(3)} % of the requests failed (${errors} errors, ${lost} lost, ${timeouts} timeouts, ${non2xx} not 2xx); at most ${threshold.maxPercent} % may`,
    };
  }
  if (load.ratePerSecond !== undefined) {
    return { skipped: `${scenario}: throughput was not judged, because it was fixed` };
  }
  const base = rates.get(threshold.of);
  if (base === undefined) {
    return {
      skipped: `${scenario}: throughput was not compared with ${threshold.of}, which was not measured`,
    };
  }
  const ratio = requestsPerSecond / base;
  if (ratio >= threshold.minRatio) return {};
  return {
    crossing: `${scenario}: throughput was ${ratio.toFixed(2)} of ${threshold.of}; it must be at least ${threshold.minRatio} of it`,
  };
}
