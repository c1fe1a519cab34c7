import type { OptionTable, Values } from '../src/testing/chaos/values.ts';
import type { Load } from './measurement.ts';

const WARMUP_MS = 2000;
const SECONDS_MAX = 86_400;
const CONNECTIONS_MAX = 20_000;
export const WORKERS_MAX = 64;

/** The options for how hard and how long a command measures. */
export const LOAD_OPTIONS = {
  seconds: { value: 'N', default: '10', help: 'measured time of a scenario, after a warm-up' },
  connections: { value: 'N', default: '50', help: 'keep-alive connections, each with one request under way' },
  workers: { value: 'N', default: '2', help: 'HTTP processes of the server' },
} satisfies OptionTable;

/** @throws UsageError */
export function readLoad(values: Values): Load {
  return {
    connections: values.whole('connections', 1, CONNECTIONS_MAX),
    warmupMs: WARMUP_MS,
    durationMs: values.whole('seconds', 1, SECONDS_MAX) * 1000,
  };
}

/** @throws UsageError */
export function readWorkers(values: Values): number {
  return values.whole('workers', 1, WORKERS_MAX);
}
