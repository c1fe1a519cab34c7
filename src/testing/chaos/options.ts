import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const SEED_MAX = 2 ** 31 - 1;

export const USAGE = `Usage: npm run chaos -- [options]

  Starts the real system in a temporary folder, keeps honest clients running against it, injects faults, and holds
  the history of every request against the database. Prints one row a trial; the exit code is 1 when one falls short.

  --only A,B     only these trials
  --short        a few seconds of each that shows something in so little
  --seconds N    the length of those faults that last
  --rounds N     how often those are injected that are counted
  --seed N       all random choices follow from it (printed; default: random)
  --json FILE    write the results to FILE too
  --logs FOLDER  write each trial's log and failed requests into FOLDER
  --list         the trials, with what must hold in each
  --help`;

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

/** A wrong command line; the message says what is wrong. */
export class UsageError extends Error {}

/**
 * @param args the words after the program's name
 * @param trials all that there are
 * @returns undefined when help was asked for
 * @throws UsageError
 */
export function parseOptions<SomeStage extends Stage>(
  args: readonly string[],
  trials: readonly Trial<SomeStage>[],
): ChaosOptions<SomeStage> | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const wanted = values.only?.flatMap((names) => names.split(',')).filter((name) => name !== '');
  const unknown = (wanted ?? []).filter((name) => !trials.some((trial) => trial.name === name));
  if (unknown.length > 0) {
    throw new UsageError(`There is no trial ${unknown.join(', ')}. --list shows those that there are.`);
  }
  return {
    trials: trials.filter(
      ({ name, size }) => wanted?.includes(name) ?? (!values.short || size.short !== undefined),
    ),
    short: values.short,
    seconds: whole('seconds', values.seconds, 1, 86_400),
    rounds: whole('rounds', values.rounds, 1, 1_000_000),
    seed: whole('seed', values.seed, 0, SEED_MAX) ?? randomInt(SEED_MAX),
    jsonFile: values.json,
    logsFolder: values.logs,
    list: values.list,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string', multiple: true },
        short: { type: 'boolean', default: false },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        seed: { type: 'string' },
        json: { type: 'string' },
        logs: { type: 'string' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function whole(name: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,10}$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`--${name}: expected a whole number from ${min} to ${max}`);
}
