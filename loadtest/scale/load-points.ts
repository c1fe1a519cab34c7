import { whole } from '../../src/testing/chaos/table.ts';
import { busyInWords, limitInWords } from '../busy.ts';
import type { Context } from '../command.ts';
import type { Load, Measurement } from '../measurement.ts';
import { measure } from '../run.ts';
import { type Scenario, scenarioOf } from '../scenarios.ts';
import type { Target } from '../target.ts';
import type { CurveResult, Point } from './curve.ts';

export const WARMUP_MS = 1000;
/** The curve bends where throughput can rise by no more than this factor. */
const BEND_MAX_GROWTH = 1.2;

/** The measurements of one x. */
export interface LoadPoint {
  readonly x: number;
  readonly measurements: readonly Measurement[];
  readonly more?: Readonly<Record<string, number>>;
}

/** The work at one x: scenarios, or variants of them under a name of their own. */
export interface Step {
  readonly label: string;
  readonly scenarios: readonly (string | Scenario)[];
  readonly load: Load;
  readonly seededAlerts?: number;
}

/** Runs the scenarios of a step one after the other. */
export async function measureStep(
  target: Target,
  { label, scenarios, load, seededAlerts }: Step,
  { progress, signal }: Context,
): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const given of scenarios) {
    const scenario = typeof given === 'string' ? scenarioOf(given) : given;
    const order = { scenario, load, label: `${label}, ${scenario.name}` };
    const seeded = seededAlerts === undefined ? {} : { seededAlerts };
    const measurement = await measure(target, { ...order, ...seeded }, progress, signal);
    progress.note(`${order.label}: ${whole(measurement.requestsPerSecond)} requests/s`);
    measurements.push(measurement);
  }
  return measurements;
}

/** @returns a curve of throughput and p99 over x, with the busy processes where it bends */
export function loadCurve(
  curve: Pick<CurveResult, 'name' | 'title' | 'xLabel'>,
  loadPoints: readonly LoadPoint[],
): CurveResult {
  const names = [...new Set(loadPoints.flatMap(({ measurements }) => measurements.map(nameOf)))];
  const points: Point[] = loadPoints.map(({ x, measurements, more }) => ({
    x,
    figures: {
      ...Object.fromEntries(measurements.map((one) => [`${nameOf(one)}/s`, one.requestsPerSecond])),
      ...Object.fromEntries(measurements.map((one) => [`${nameOf(one)} p99 ms`, one.latencyMs.p99])),
      ...more,
    },
    busy: measurements.map((one) => `${nameOf(one)}: ${busyInWords(one)}`).join('; '),
  }));
  return {
    ...curve,
    points,
    remarks: names.flatMap((name) => bendOf(name, curve.xLabel, loadPoints)),
    measurements: loadPoints.flatMap(({ measurements }) => measurements),
  };
}

/** @returns in words, where throughput stops rising with x, and what limits it there */
export function bendOf(name: string, xLabel: string, points: readonly LoadPoint[]): string[] {
  const line = points.flatMap(({ x, measurements }) => {
    const found = measurements.find((one) => nameOf(one) === name);
    return found === undefined ? [] : [{ x, measurement: found }];
  });
  const first = line[0];
  const last = line.at(-1);
  if (first === undefined || last === undefined || first === last) return [];
  const best = Math.max(...line.map(({ measurement }) => measurement.requestsPerSecond));
  const change = last.measurement.requestsPerSecond / first.measurement.requestsPerSecond;
  const overall = `${name}: at ${whole(last.x)} ${xLabel} ${change.toFixed(2)} of what it is at ${whole(first.x)}`;
  const bend = line.find(({ measurement }) => measurement.requestsPerSecond * BEND_MAX_GROWTH >= best)!;
  return [
    `${overall}. From ${whole(bend.x)} on it rises by less than a fifth: ${limitInWords(bend.measurement)}.`,
  ];
}

function nameOf({ scenario }: Measurement): string {
  return scenario;
}
