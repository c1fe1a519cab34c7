import { renderTable, whole } from '../../src/testing/chaos/table.ts';
import type { Command } from '../command.ts';
import type { ProcessSample } from '../measurement.ts';
import { measure, runTable } from '../run.ts';
import { scenarioOf, scenarios } from '../scenarios.ts';
import { slopePerHour } from '../statistics.ts';
import { readSystem, SYSTEM_OPTIONS, startChoice } from '../system-options.ts';
import { withTarget } from '../target.ts';
import { judge, readThresholds, THRESHOLDS_FILE } from '../thresholds.ts';

const MB = 1024 * 1024;
const MINUTE_MS = 60_000;
const MINUTES_MAX = 10_080;
const RATE_MAX = 1_000_000;
const WARMUP_MS = 10_000;
/** Heaps grow until their first collections; before that a slope says nothing. */
const SETTLING_SHARE = 1 / 3;
const JUDGED_FROM_MINUTES = 10;

/** A long run at a fixed rate, to see whether memory grows. */
export const soakCommand: Command = {
  name: 'soak',
  summary: 'a long run at a fixed rate: does the memory of any process grow?',
  details: `The slope is that of the last two thirds. Under ${JUDGED_FROM_MINUTES} minutes it is shown and not judged, because young heaps
still grow. The system's log takes about 300 bytes of disk a request.`,
  options: {
    minutes: { value: 'N', default: '10', help: 'measured time' },
    rate: { value: 'N', default: '500', help: 'requests a second' },
    connections: { value: 'N', default: '50', help: 'keep-alive connections that they share' },
    workers: { value: 'N', default: '2', help: 'HTTP processes of the server' },
    scenario: {
      value: 'NAME',
      default: 'mixed',
      multiple: true,
      help: scenarios.map(({ name }) => name).join(', '),
    },
    growth: { value: 'MB', default: '30', help: 'what all processes together may grow in an hour' },
    ...SYSTEM_OPTIONS,
  },
  prepare(values) {
    const minutes = values.whole('minutes', 1, MINUTES_MAX);
    const growthMaxMb = values.whole('growth', 0, 100_000);
    const system = readSystem(values);
    const [name] = values.namesOf(
      'scenario',
      scenarios.map(({ name }) => name),
      'scenario',
    );
    const scenario = scenarioOf(name!);
    const load = {
      connections: values.whole('connections', 1, 20_000),
      ratePerSecond: values.whole('rate', 1, RATE_MAX),
      warmupMs: WARMUP_MS,
      durationMs: minutes * MINUTE_MS,
    };
    return async ({ progress, signal }) => {
      const measurement = await withTarget(
        () => startChoice(system, signal),
        signal,
        (target) =>
          measure(target, { scenario, load, label: 'soak', faults: system.faults }, progress, signal),
      );
      const growths = growthOf(measurement.processes);
      const total = growths.at(-1);
      const isJudged = minutes >= JUDGED_FROM_MINUTES && total !== undefined;
      const grew =
        isJudged && total.mbPerHour > growthMaxMb
          ? [`soak: memory grew by ${whole(total.mbPerHour)} MB/h; at most ${growthMaxMb} may`]
          : [];
      const { crossings } = judge(
        [measurement],
        readThresholds(THRESHOLDS_FILE),
        undefined,
        system.faults.length > 0,
      );
      const rows = growths.map(({ name, firstMb, lastMb, mbPerHour }) => {
        return [name, whole(firstMb), whole(lastMb), `${mbPerHour > 0 ? '+' : ''}${whole(mbPerHour)}`];
      });
      const head = ['process', 'MB at the first third', 'MB at the end', 'MB/h'];
      const columns = head.map((title, index) => ({
        title,
        ...(index === 0 ? { align: 'left' as const } : {}),
        cell: (row: string[]) => row[index]!,
      }));
      return {
        text: `${runTable([measurement])}\n\n${rows.length === 0 ? 'The memory of a server that is not ours is not known.' : renderTable(columns, rows)}`,
        results: { load, measurement, growths },
        measurements: [measurement],
        complaints: [...crossings, ...grew],
      };
    };
  },
};

/** How the memory of one process changed. */
export interface Growth {
  readonly name: string;
  readonly firstMb: number;
  readonly lastMb: number;
  readonly mbPerHour: number;
}

/** @returns one entry a process of the server, then their sum; empty without samples */
export function growthOf(samples: readonly ProcessSample[]): Growth[] {
  const times = [...new Set(samples.map(({ atMs }) => atMs))];
  const settled = times.slice(Math.floor(times.length * SETTLING_SHARE));
  if (settled.length < 2) return [];
  const server = samples.filter(({ name, atMs }) => name !== 'load generator' && atMs >= settled[0]!);
  if (server.length === 0) return [];
  const names = [...new Set(server.map(({ name }) => name))].sort();
  const lines = names.map((name) => ({ name, own: server.filter((sample) => sample.name === name) }));
  const sums = settled.map((atMs) => ({
    atMs,
    rssBytes: server
      .filter((sample) => sample.atMs === atMs)
      .reduce((sum, { rssBytes }) => sum + rssBytes, 0),
  }));
  return [...lines, { name: 'in sum', own: sums }].map(({ name, own }) => ({
    name,
    firstMb: own[0]!.rssBytes / MB,
    lastMb: own.at(-1)!.rssBytes / MB,
    mbPerHour: slopePerHour(own.map(({ atMs, rssBytes }) => [atMs, rssBytes / MB])),
  }));
}
