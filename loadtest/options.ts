import { parseArgs } from 'node:util';
import type { Load } from './measurement.ts';
import { scenarios } from './scenarios.ts';

const WARMUP_MS = 2000;

export const USAGE = `Usage: npm run loadtest -- [compare] [options]

  (nothing)            load on a system of its own: ${scenarios.map(({ name }) => name).join(', ')}
  compare              the same load on this system and on its peers, in turns

  --seconds N          measured time of a scenario, after a warm-up (default 10)
  --connections N      keep-alive connections, each with one request under way (default 50)
  --workers N          HTTP processes of the server (default 2)
  --rounds N           turns of each peer, with compare (default 5)
  --only NAME          only this scenario; may be given again
  --json FILE          write the results to FILE too; with - to standard output, in place of the table
  --help

Everything happens on this machine, in temporary folders, and ends with it. The exit code is 1 when a request to
this system failed.`;

export interface Options {
  readonly command: 'run' | 'compare';
  readonly load: Load;
  readonly workers: number;
  readonly rounds: number;
  readonly scenarioNames: readonly string[];
  /** Where the results go as JSON; `-` is standard output. */
  readonly jsonFile: string | undefined;
}

/** A wrong command line; the message says what is wrong. */
export class UsageError extends Error {}

/**
 * @param args the words after the program's name
 * @returns undefined when help was asked for
 * @throws UsageError
 */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [command = 'run', ...rest] = positionals;
  if ((command !== 'run' && command !== 'compare') || rest.length > 0) {
    throw new UsageError(`Unknown: ${positionals.join(' ')}`);
  }
  const known = scenarios.map(({ name }) => name);
  const unknown = (values.only ?? []).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new UsageError(`There is no scenario ${unknown.join(', ')}`);
  return {
    command,
    load: {
      connections: positive('connections', values.connections),
      warmupMs: WARMUP_MS,
      durationMs: positive('seconds', values.seconds) * 1000,
    },
    workers: positive('workers', values.workers),
    rounds: positive('rounds', values.rounds),
    scenarioNames: known.filter((name) => values.only?.includes(name) ?? true),
    jsonFile: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '10' },
        connections: { type: 'string', default: '50' },
        workers: { type: 'string', default: '2' },
        rounds: { type: 'string', default: '5' },
        only: { type: 'string', multiple: true },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function positive(name: string, text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new UsageError(`--${name}: expected a whole number from 1 to 99999`);
}
