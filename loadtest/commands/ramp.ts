import { type Column, milliseconds, renderTable, whole } from '../../src/testing/chaos/table.ts';
import { UsageError } from '../../src/testing/chaos/values.ts';
import { busyInWords, limitInWords } from '../busy.ts';
import type { Command, Context } from '../command.ts';
import { failedPercent, type Load, type Measurement } from '../measurement.ts';
import { loadInWords, measure } from '../run.ts';
import { type Scenario, scenarioOf, scenarios } from '../scenarios.ts';
import { readSystem, SYSTEM_OPTIONS, startChoice } from '../system-options.ts';
import { type Target, withTarget } from '../target.ts';

const WARMUP_MS = 1000;
const STEPS_MAX = 24;
const FIRST_RATE = 250;
const FIRST_CONNECTIONS = 1;
const FACTOR = 2;
const CONNECTIONS_MAX = 2048;
/** A step that does not grow the best throughput so far by this factor counts as poor. */
const GROWTH_MIN = 1.05;
const POOR_STEPS_MAX = 2;
/** At a fixed rate, a server that serves less than this share of it does not keep up. */
const KEPT_MIN = 0.98;
const FAILED_MAX_PERCENT = 1;

/** Raises the load until throughput grows no more. */
export const rampCommand: Command = {
  name: 'ramp',
  summary: 'more and more load until throughput grows no more, and what was busy then',
  options: {
    seconds: { value: 'N', default: '4', help: 'measured time of a step, after a warm-up of one second' },
    by: {
      value: 'WHAT',
      default: 'connections',
      help: 'what grows, doubling with each step: connections or rate',
    },
    connections: { value: 'N', default: '200', help: 'keep-alive connections that a rate may use' },
    workers: { value: 'N', default: '2', help: 'HTTP processes of the server' },
    only: { value: 'NAME', multiple: true, default: 'read,write', help: 'the scenarios; may be given again' },
    ...SYSTEM_OPTIONS,
  },
  prepare(values) {
    const by = values.text('by');
    if (by !== 'connections' && by !== 'rate') throw new UsageError('--by: expected connections or rate');
    const seconds = values.whole('seconds', 1, 3600);
    const connections = values.whole('connections', 1, CONNECTIONS_MAX);
    const system = readSystem(values);
    const names = values.namesOf(
      'only',
      scenarios.map(({ name }) => name),
      'scenario',
    );
    const base = { warmupMs: WARMUP_MS, durationMs: seconds * 1000 };
    const loadOf = (step: number): Load =>
      by === 'rate'
        ? { ...base, connections, ratePerSecond: FIRST_RATE * FACTOR ** step }
        : { ...base, connections: FIRST_CONNECTIONS * FACTOR ** step };
    return async (context) => {
      const ramps: Ramp[] = [];
      await withTarget(
        () => startChoice(system, context.signal),
        context.signal,
        async (target) => {
          for (const name of names) ramps.push(await climb(target, scenarioOf(name), loadOf, context));
        },
      );
      const measurements = ramps.flatMap(({ steps }) => steps);
      return {
        text: ramps.map((ramp) => `${renderTable(COLUMNS, ramp.steps)}\n\n${verdictOf(ramp)}`).join('\n\n'),
        results: { ramps: ramps.map((ramp) => ({ ...ramp, verdict: verdictOf(ramp) })) },
        measurements,
        complaints: [],
      };
    };
  },
};

/** All steps of one scenario. */
export interface Ramp {
  readonly scenario: string;
  readonly steps: readonly Measurement[];
}

async function climb(
  target: Target,
  scenario: Scenario,
  loadOf: (step: number) => Load,
  { progress, signal }: Context,
): Promise<Ramp> {
  const steps: Measurement[] = [];
  while (steps.length < STEPS_MAX && !isSaturated(steps)) {
    const load = loadOf(steps.length);
    if (load.connections > (scenario.connectionsMax ?? CONNECTIONS_MAX)) break;
    const label = `${scenario.name}, ${loadInWords(load)}`;
    // The first step has made the alerts that the others read.
    const seeded = steps.length === 0 ? {} : { seededAlerts: scenario.seededAlerts };
    steps.push(await measure(target, { scenario, load, label, ...seeded }, progress, signal));
    progress.note(`${label}: ${whole(steps.at(-1)!.requestsPerSecond)} requests/s`);
  }
  return { scenario: scenario.name, steps };
}

/** @returns whether more load brought no more, twice in a row: a single poor step may be bad luck */
export function isSaturated(steps: readonly Measurement[]): boolean {
  let best = 0;
  let poor = 0;
  for (const step of steps) {
    const { requestsPerSecond, load } = step;
    const isKept =
      load.ratePerSecond === undefined
        ? requestsPerSecond >= best * GROWTH_MIN
        : requestsPerSecond >= load.ratePerSecond * KEPT_MIN;
    poor = isKept && failedPercent(step) <= FAILED_MAX_PERCENT ? 0 : poor + 1;
    best = Math.max(best, requestsPerSecond);
  }
  return poor >= POOR_STEPS_MAX;
}

/** @returns the first step after which more load brought little */
export function kneeOf(steps: readonly Measurement[]): Measurement {
  const best = Math.max(...steps.map(({ requestsPerSecond }) => requestsPerSecond));
  return steps.find(({ requestsPerSecond }) => requestsPerSecond * GROWTH_MIN >= best)!;
}

function verdictOf({ scenario, steps }: Ramp): string {
  const knee = kneeOf(steps);
  const saturated = isSaturated(steps) ? 'saturated at' : 'not saturated; the most seen was';
  const at = `${whole(knee.requestsPerSecond)} requests/s at ${loadInWords(knee.load)}, p99 ${milliseconds(knee.latencyMs.p99)} ms`;
  return `${scenario}: ${saturated} ${at}. There ${limitInWords(knee)}.`;
}

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'scenario', align: 'left', cell: ({ scenario }) => scenario },
  { title: 'load', cell: ({ load }) => loadInWords(load) },
  { title: 'requests/s', cell: ({ requestsPerSecond }) => whole(requestsPerSecond) },
  { title: 'p50 ms', cell: ({ latencyMs }) => milliseconds(latencyMs.p50) },
  { title: 'p99 ms', cell: ({ latencyMs }) => milliseconds(latencyMs.p99) },
  { title: 'failed', cell: (step) => `${failedPercent(step).toFixed(2)} %` },
  { title: 'busy, of a core', align: 'left', cell: busyInWords },
];
