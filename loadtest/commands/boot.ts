import { percentile } from '../../src/testing/chaos/statistics.ts';
import { type Column, milliseconds, renderTable, whole } from '../../src/testing/chaos/table.ts';
import { type BootFigures, measureBoot, type ProcessMemory } from '../boot.ts';
import type { Command } from '../command.ts';
import { readWorkers } from '../load-options.ts';

const TIMES_MAX = 10_000;
const MB = 1024 * 1024;

/** What the project promises on two cores. */
const WORKER_P50_MAX_MS = 120;
const START_P50_MAX_MS = 1000;
/** Without the spare worker, since SPARE_WORKERS=0 leaves it out. */
const RSS_MAX_MB = 350;

const SPARE = /spare/;

const TIME_COLUMNS: readonly Column<readonly [string, readonly number[]]>[] = [
  { title: 'boot', align: 'left', cell: ([what]) => what },
  { title: 'times', cell: ([, values]) => whole(values.length) },
  { title: 'p50 ms', cell: ([, values]) => milliseconds(percentile(values, 0.5)) },
  { title: 'p99 ms', cell: ([, values]) => milliseconds(percentile(values, 0.99)) },
  { title: 'min ms', cell: ([, values]) => milliseconds(percentile(values, 0)) },
];

const MEMORY_COLUMNS: readonly Column<ProcessMemory>[] = [
  { title: 'idle process', align: 'left', cell: ({ name }) => name },
  { title: 'RSS MB', cell: ({ rssBytes }) => whole(rssBytes / MB) },
  { title: 'PSS MB', cell: ({ pssBytes }) => whole(pssBytes / MB) },
];

/** How fast the system starts, and how much memory it takes when idle. */
export const bootCommand: Command = {
  name: 'boot',
  summary: 'time from fork to serving and from start to ready, and the memory of the idle system',
  details: 'PSS counts a page that several processes share once in all; RSS counts it in each of them.',
  options: {
    workers: { value: 'N', default: '2', help: 'HTTP processes of the server' },
    starts: { value: 'N', default: '10', help: 'starts of the whole system' },
    restarts: { value: 'N', default: '50', help: 'restarts of one worker, with no spare' },
  },
  prepare(values) {
    const plan = {
      workers: readWorkers(values),
      starts: values.whole('starts', 1, TIMES_MAX),
      restarts: values.whole('restarts', 1, TIMES_MAX),
    };
    return async ({ progress, signal }) => {
      const figures = await measureBoot(plan, progress, signal);
      return {
        text: tablesOf(figures),
        results: { plan, ...figures },
        measurements: [],
        complaints: complaintsOf(figures),
      };
    };
  },
};

function tablesOf({ startMs, workerMs, memory }: BootFigures): string {
  const times = renderTable(TIME_COLUMNS, [
    ['start → ready, existing database', startMs],
    ['worker, fork → serving', workerMs],
  ]);
  const rows = [...memory, totalOf('in sum', memory), totalOf('without the spare', withoutSpare(memory))];
  return `${times}\n\n${renderTable(MEMORY_COLUMNS, rows)}`;
}

function withoutSpare(memory: readonly ProcessMemory[]): ProcessMemory[] {
  return memory.filter(({ name }) => !SPARE.test(name));
}

function totalOf(name: string, memory: readonly ProcessMemory[]): ProcessMemory {
  return {
    name,
    rssBytes: memory.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    pssBytes: memory.reduce((sum, { pssBytes }) => sum + pssBytes, 0),
  };
}

function complaintsOf({ startMs, workerMs, memory }: BootFigures): string[] {
  const rssMb = totalOf('', withoutSpare(memory)).rssBytes / MB;
  return [
    ...past('worker, fork → serving, p50', percentile(workerMs, 0.5), WORKER_P50_MAX_MS, 'ms'),
    ...past('start → ready, p50', percentile(startMs, 0.5), START_P50_MAX_MS, 'ms'),
    ...past('RSS of the idle system without the spare', rssMb, RSS_MAX_MB, 'MB'),
  ];
}

function past(what: string, value: number, max: number, unit: string): string[] {
  return value <= max ? [] : [`${what}: ${whole(value)} ${unit}, at most ${max}`];
}
