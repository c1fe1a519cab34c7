import type { Command } from '../command.ts';
import { LOAD_OPTIONS, readLoad, readWorkers } from '../load-options.ts';
import { failureComplaints } from '../measurement.ts';
import { run, runTable } from '../run.ts';
import { scenarios } from '../scenarios.ts';

/** The scenarios, one after the other, on one system. */
export const runCommand: Command = {
  name: 'run',
  summary: 'load on a system of its own, scenario by scenario',
  details: `Scenarios:\n${scenarios.map(({ name, title }) => `  ${name}: ${title}`).join('\n')}`,
  options: {
    ...LOAD_OPTIONS,
    only: { value: 'NAME', multiple: true, help: 'only this scenario; may be given again' },
  },
  prepare(values) {
    const known = scenarios.map(({ name }) => name);
    const plan = {
      load: readLoad(values),
      workers: readWorkers(values),
      scenarioNames: values.namesOf('only', known, 'scenario'),
    };
    return async ({ progress, signal }) => {
      const measurements = await run(plan, progress, signal);
      return {
        text: runTable(measurements),
        results: { plan, measurements },
        measurements,
        complaints: failureComplaints(measurements),
      };
    };
  },
};
