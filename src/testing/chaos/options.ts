import { randomInt } from 'node:crypto';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';
import { describeOptions, type OptionTable, UsageError, Values } from './values.ts';

const SEED_MAX = 2 ** 31 - 1;

const OPTIONS: OptionTable = {
  only: { value: 'A,B', multiple: true, help: 'only these trials' },
  short: { help: 'a few seconds of each that shows something in so little' },
  seconds: { value: 'N', help: 'the length of those faults that last' },
  rounds: { value: 'N', help: 'how often those are injected that are counted' },
  seed: { value: 'N', help: 'all random choices follow from it (printed; default: random)' },
  json: { value: 'FILE', help: 'write the results to FILE too' },
  logs: { value: 'FOLDER', help: "write each trial's log and failed requests into FOLDER" },
  list: { help: 'the trials, with what must hold in each' },
  help: { help: 'this text' },
};

export const USAGE = `Usage: npm run chaos -- [options]

  Starts the real system in a temporary folder, keeps honest clients running against it, injects faults, and holds
  the history of every request against the database. Prints one row a trial; the exit code is 1 when one falls short.

${describeOptions(OPTIONS)}`;

export interface ChaosOptions<SomeStage extends Stage = Stage> {
  readonly trials: readonly Trial<SomeStage>[];
  readonly short: boolean;
  readonly seconds: number | undefined;
  readonly rounds: number | undefined;
  readonly seed: number;
  readonly jsonFile: string | undefined;
  readonly logsFolder: string | undefined;
  readonly list: boolean;
}

/**
 * @param args the arguments after the program's name
 * @param trials all trials that exist
 * @returns undefined when help was asked for
 * @throws UsageError
 */
export function parseOptions<SomeStage extends Stage>(
  args: readonly string[],
  trials: readonly Trial<SomeStage>[],
): ChaosOptions<SomeStage> | undefined {
  const values = new Values(args, OPTIONS);
  if (values.flag('help')) return undefined;
  const wanted = values.list('only');
  const unknown = (wanted ?? []).filter((name) => !trials.some((trial) => trial.name === name));
  if (unknown.length > 0) {
    throw new UsageError(`There is no trial ${unknown.join(', ')}. --list shows those that there are.`);
  }
  const short = values.flag('short');
  return {
    trials: trials.filter(({ name, size }) => wanted?.includes(name) ?? (!short || size.short !== undefined)),
    short,
    seconds: values.optionalWhole('seconds', 1, 86_400),
    rounds: values.optionalWhole('rounds', 1, 1_000_000),
    seed: values.optionalWhole('seed', 0, SEED_MAX) ?? randomInt(SEED_MAX),
    jsonFile: values.text('json'),
    logsFolder: values.text('logs'),
    list: values.flag('list'),
  };
}
