import { spawnSync } from 'node:child_process';
import { UsageError, type Values } from '../../src/testing/chaos/values.ts';
import type { Command } from '../command.ts';
import { compare } from '../compare.ts';
import { comparisonTable, ratiosOf } from '../comparison.ts';
import { LOAD_OPTIONS, readLoad, readWorkers } from '../load-options.ts';
import { failureComplaints, type Generator } from '../measurement.ts';
import { peers } from '../peers.ts';
import { shortRead } from '../scenarios.ts';

const ROUNDS_MAX = 1000;
const SLOWER_FSYNC_MAX_US = 100_000;

/** @throws UsageError for another name, and for wrk where there is none */
function readGenerator(values: Values): Generator {
  const asked = values.text('generator');
  if (asked !== undefined && asked !== 'wrk' && asked !== 'autocannon')
    throw new UsageError(`--generator: expected wrk or autocannon, not ${asked}`);
  // wrk prints its version and exits with 1, so only a failed spawn counts.
  const isThere = asked !== 'autocannon' && spawnSync('wrk', ['--version']).error === undefined;
  if (asked === 'wrk' && !isThere)
    throw new UsageError('--generator: wrk is not installed (Debian: apt install wrk)');
  return isThere ? 'wrk' : 'autocannon';
}

/** Compares this system with its peers. */
export const compareCommand: Command = {
  name: 'compare',
  summary: 'the same load on this system and on its peers, in turns',
  options: {
    ...LOAD_OPTIONS,
    // Five rounds of all take under five minutes.
    seconds: { ...LOAD_OPTIONS.seconds, default: '4' },
    rounds: { value: 'N', default: '5', help: 'turns of each peer' },
    generator: {
      value: 'NAME',
      help: 'wrk or autocannon; wrk where it is installed, if not given. Only wrk can measure short connections',
    },
    'slower-fsync': {
      value: 'US',
      default: '0',
      help: 'every fsync of the servers takes so many microseconds more, as on a network disk',
    },
    only: { value: 'NAME', multiple: true, help: 'only this scenario; may be given again' },
  },
  prepare(values) {
    const generator = readGenerator(values);
    const all = new Set(peers.flatMap(({ scenarios }) => scenarios));
    const known = [...all].filter((name) => name !== shortRead.name || generator === 'wrk');
    const plan = {
      load: { ...readLoad(values), generator },
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
        // The results of the peers do not count.
        complaints: failureComplaints(ours),
      };
    };
  },
};
