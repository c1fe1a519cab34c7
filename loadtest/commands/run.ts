import { whole } from '../../src/testing/chaos/table.ts';
import type { Command, Context } from '../command.ts';
import { LOAD_OPTIONS, readLoad } from '../load-options.ts';
import type { Load, Measurement } from '../measurement.ts';
import { startBaseline } from '../peers.ts';
import { measure, runTable } from '../run.ts';
import { scenarioOf, scenarios } from '../scenarios.ts';
import { readSystem, SYSTEM_OPTIONS, type SystemChoice, startChoice } from '../system-options.ts';
import { withTarget } from '../target.ts';
import { BASELINE, judge, needsBaseline, readThresholds, THRESHOLDS_FILE } from '../thresholds.ts';

const RATE_MAX = 1_000_000;
/** The baseline is a server without a database: it is warm soon, and varies little. */
const BASELINE_LOAD = { warmupMs: 1000, durationMs: 3000 };

/** Runs the scenarios one after the other on one system. */
export const runCommand: Command = {
  name: 'run',
  summary: 'load on a system of its own, scenario by scenario, held against thresholds',
  details: `Scenarios:\n${scenarios.map(({ name, title }) => `  ${name}: ${title}`).join('\n')}`,
  options: {
    ...LOAD_OPTIONS,
    only: { value: 'NAME', multiple: true, help: 'only this scenario; may be given again' },
    rate: {
      value: 'N',
      help: 'requests begin at N a second, whatever becomes of those before; latency counts from when each was due',
    },
    ...SYSTEM_OPTIONS,
    thresholds: { value: 'FILE', default: 'loadtest/thresholds.json', help: 'what must hold' },
  },
  prepare(values) {
    const known = scenarios.map(({ name }) => name);
    const plan = {
      load: { ...readLoad(values), ratePerSecond: values.optionalWhole('rate', 1, RATE_MAX) },
      system: readSystem(values),
      scenarioNames: values.namesOf('only', known, 'scenario'),
    };
    const file = values.text('thresholds');
    const thresholds = readThresholds(
      file === undefined || file === 'loadtest/thresholds.json' ? THRESHOLDS_FILE : file,
    );
    return async (context) => {
      const wantsBaseline = plan.system.url === undefined && needsBaseline(thresholds, plan.scenarioNames);
      const baseline = wantsBaseline ? await measureBaseline(plan, context) : undefined;
      const measurements = await runScenarios(plan, context);
      const hasFaults = plan.system.faults.length > 0;
      const { crossings, skipped, judged } = judge(
        measurements,
        thresholds,
        baseline?.requestsPerSecond,
        hasFaults,
      );
      const lines = [
        ...(baseline === undefined
          ? []
          : [`${BASELINE}, the baseline: ${whole(baseline.requestsPerSecond)} requests/s`]),
        ...skipped,
        `thresholds: ${judged - crossings.length} of ${judged} hold`,
      ];
      return {
        text: `${runTable(measurements)}\n\n${lines.join('\n')}`,
        results: { plan, baseline, measurements, crossings, skipped },
        measurements,
        complaints: crossings,
      };
    };
  },
};

interface RunPlan {
  readonly load: Load;
  readonly system: SystemChoice;
  readonly scenarioNames: readonly string[];
}

async function runScenarios(
  { load, system, scenarioNames }: RunPlan,
  { progress, signal }: Context,
): Promise<Measurement[]> {
  progress.show('starting the system');
  return await withTarget(
    () => startChoice(system, signal),
    signal,
    async (target) => {
      const measurements: Measurement[] = [];
      for (const name of scenarioNames) {
        const order = { scenario: scenarioOf(name), load, label: name, faults: system.faults };
        measurements.push(await measure(target, order, progress, signal));
      }
      progress.show('stopping the system');
      return measurements;
    },
  );
}

async function measureBaseline(
  { load, system }: RunPlan,
  { progress, signal }: Context,
): Promise<Measurement> {
  return await withTarget(
    () => startBaseline(system.workers, signal),
    signal,
    (target) => {
      const closedLoop = { ...load, ...BASELINE_LOAD, ratePerSecond: undefined };
      const order = { scenario: scenarioOf('read'), load: closedLoop, label: BASELINE, seededAlerts: 1000 };
      return measure(target, order, progress, signal);
    },
  );
}
