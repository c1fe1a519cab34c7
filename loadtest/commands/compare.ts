import type { Command } from '../command.ts';
import { compare } from '../compare.ts';
import { comparisonSections, comparisonTable, ratiosOf } from '../comparison.ts';
import { LOAD_OPTIONS, readLoad, readWorkers } from '../load-options.ts';
import { failureComplaints } from '../measurement.ts';
import { peers } from '../peers.ts';

const ROUNDS_MAX = 1000;
const SLOWER_FSYNC_MAX_US = 100_000;

/** This system beside its peers. */
export const compareCommand: Command = {
  name: 'compare',
  summary: 'the same load on this system and on its peers, in turns',
  options: {
    ...LOAD_OPTIONS,
    // Five rounds of all take under five minutes.
    seconds: { ...LOAD_OPTIONS.seconds, default: '4' },
    rounds: { value: 'N', default: '5', help: 'turns of each peer' },
    'slower-fsync': {
      value: 'US',
      default: '0',
      help: 'every fsync of the servers takes so many microseconds more, as on a network disk',
    },
    only: { value: 'NAME', multiple: true, help: 'only this scenario; may be given again' },
  },
  prepare(values) {
    const known = [...new Set(peers.flatMap(({ scenarios }) => scenarios))];
    const plan = {
      load: readLoad(values),
      workers: readWorkers(values),
      rounds: values.whole('rounds', 1, ROUNDS_MAX),
      slowerFsyncUs: values.whole('slower-fsync', 0, SLOWER_FSYNC_MAX_US),
      scenarioNames: values.namesOf('only', known, 'scenario'),
    };
    return async ({ progress, signal }) => {
      const turns = await compare(plan, progress, signal);
      const ours = turns.filter(({ peer }) => peer === 'ours').map(({ measurement }) => measurement);
      return {
        text: comparisonTable(turns),
        results: { plan, turns, ratios: ratiosOf(turns) },
        measurements: turns.map(({ measurement }) => measurement),
        // How its peers did does not count.
        complaints: failureComplaints(ours),
        sections: comparisonSections(turns),
      };
    };
  },
};
