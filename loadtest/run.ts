import { drive } from './drive.ts';
import type { Load, Measurement } from './measurement.ts';

import type { Progress } from './progress.ts';
import { type Scenario, scenarioOf } from './scenarios.ts';
import { seedAlerts } from './seed.ts';
import { type Column, milliseconds, renderTable, whole } from './table.ts';
import { startSystem, type Target, withTarget } from './target.ts';

/** What is measured. */
export interface RunPlan {
  readonly load: Load;
  readonly workers: number;
  readonly scenarioNames: readonly string[];
}

/** Runs the scenarios one after the other on one system. */
export async function run(plan: RunPlan, progress: Progress, signal: AbortSignal): Promise<Measurement[]> {
  progress.show('starting the system');
  return await withTarget(
    () => startSystem(plan.workers, signal),
    signal,
    async (target) => {
      const measurements: Measurement[] = [];
      for (const name of plan.scenarioNames) {
        measurements.push(await measure(target, scenarioOf(name), plan.load, name, progress, signal));
      }
      progress.show('stopping the system');
      return measurements;
    },
  );
}

/**
 * Seeds what a scenario needs, and runs it.
 * @param label what the progress line calls it
 */
export async function measure(
  target: Target,
  scenario: Scenario,
  load: Load,
  label: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Measurement> {
  progress.show(`${label}: seeding`);
  await seedAlerts(target.url, scenario.seededAlerts, signal);
  const totalSeconds = (load.warmupMs + load.durationMs) / 1000;
  let second = 0;
  return await drive({
    scenario: scenario.name,
    url: target.url,
    load,
    serverPid: target.pid,
    signal,
    onSecond(requests) {
      second += 1;
      progress.show(`${label}: ${second} of ${totalSeconds} s, ${whole(requests)} requests/s`);
    },
  });
}

const COLUMNS: readonly Column<Measurement>[] = [
  { title: 'scenario', align: 'left', cell: ({ scenario }) => `${scenario}: ${scenarioOf(scenario).title}` },
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
  return renderTable(COLUMNS, measurements);
}
