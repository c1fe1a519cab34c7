import type { Progress } from '../src/testing/chaos/progress.ts';
import { type Column, milliseconds, renderTable, whole } from '../src/testing/chaos/table.ts';
import { drive } from './drive.ts';
import { type Fault, scheduleFaults } from './faults.ts';
import type { Load, Measurement } from './measurement.ts';
import { type Scenario, scenarioOf } from './scenarios.ts';
import { seedAlerts, walkPages } from './seed.ts';
import type { Target } from './target.ts';

/** What to measure, and how. */
export interface Order {
  readonly scenario: Scenario;
  readonly load: Load;
  /** Its name in the progress line. */
  readonly label: string;
  readonly faults?: readonly Fault[];
  /** How many alerts exist already; undefined: make those that the scenario needs. */
  readonly seededAlerts?: number;
}

/** Seeds the alerts that a scenario needs, and runs it. */
export async function measure(
  target: Target,
  { scenario, load, label, faults = [], seededAlerts }: Order,
  progress: Progress,
  signal: AbortSignal,
): Promise<Measurement> {
  progress.show(`${label}: preparing`);
  if (seededAlerts === undefined) await seedAlerts(target.url, scenario.seededAlerts, signal, target.headers);
  const pages = scenario.wantsPages ? await walkPages(target.url, signal, target.headers) : [];
  const totalSeconds = (load.warmupMs + load.durationMs) / 1000;
  let second = 0;
  let forgetFaults: (() => void) | undefined;
  try {
    return await drive({
      scenario: scenario.name,
      url: target.url,
      load: fittingLoad(scenario, load),
      ...(target.headers && { headers: target.headers }),
      seededAlerts: seededAlerts ?? scenario.seededAlerts,
      pages,
      target,
      signal,
      onSecond(requests) {
        second += 1;
        progress.show(`${label}: ${second} of ${totalSeconds} s, ${whole(requests)} requests/s`);
      },
      onMeasuring(mark) {
        forgetFaults = scheduleFaults(faults, load.durationMs, target, mark);
      },
    });
  } finally {
    forgetFaults?.();
  }
}

/** @returns the load within the scenario's limits, at its own rate unless another was asked for */
export function fittingLoad({ connectionsMax, ratePerSecond }: Scenario, load: Load): Load {
  return {
    ...load,
    connections: Math.min(load.connections, connectionsMax ?? load.connections),
    ratePerSecond: load.ratePerSecond ?? ratePerSecond,
  };
}

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'scenario', align: 'left', cell: ({ scenario }) => `${scenario}: ${scenarioOf(scenario).title}` },
  { title: 'load', cell: ({ load }) => loadInWords(load) },
  { title: 'requests/s', cell: ({ requestsPerSecond }) => whole(requestsPerSecond) },
  { title: 'p50 ms', cell: ({ latencyMs }) => milliseconds(latencyMs.p50) },
  { title: 'p90 ms', cell: ({ latencyMs }) => milliseconds(latencyMs.p90) },
  { title: 'p99 ms', cell: ({ latencyMs }) => milliseconds(latencyMs.p99) },
  { title: 'p99.9 ms', cell: ({ latencyMs }) => milliseconds(latencyMs.p999) },
  { title: 'max ms', cell: ({ latencyMs }) => milliseconds(latencyMs.max) },
  { title: 'errors', cell: ({ failures }) => whole(failures.errors + failures.lost) },
  { title: 'timeouts', cell: ({ failures }) => whole(failures.timeouts) },
  { title: 'non-2xx', cell: ({ failures }) => whole(failures.non2xx) },
];

/** @returns the measurements as a table */
export function runTable(measurements: readonly Measurement[]): string {
  const delays = measurements.filter(({ generatorDelayMs }) => generatorDelayMs !== undefined);
  const notes = delays.map(({ scenario, generatorDelayMs }) => {
    return `${scenario}: latency counts from the moment when a request was due; of it, the load generator's own delay was ${milliseconds(generatorDelayMs!.p50)} ms p50, ${milliseconds(generatorDelayMs!.p99)} ms p99.`;
  });
  return [renderTable(COLUMNS, measurements), ...notes].join('\n\n');
}

/** @returns such as `50 conns` or `500/s` */
export function loadInWords({ connections, ratePerSecond }: Load): string {
  return ratePerSecond === undefined ? `${whole(connections)} conns` : `${whole(ratePerSecond)}/s`;
}
