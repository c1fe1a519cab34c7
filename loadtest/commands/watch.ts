import { setTimeout as delay } from 'node:timers/promises';
import { type Column, renderTable, whole } from '../../src/testing/chaos/table.ts';
import type { Command, Context } from '../command.ts';
import { LOAD_OPTIONS, readLoad, readWorkers } from '../load-options.ts';
import { failureComplaints, type Measurement } from '../measurement.ts';
import { measure } from '../run.ts';
import { scenarioOf } from '../scenarios.ts';
import { spreadOf } from '../statistics.ts';
import { cpuTimeMs } from '../support/cpu-time.ts';
import { Onlookers } from '../support/onlookers.ts';
import { type SystemTarget, startSystem, withTarget } from '../target.ts';

const ROUNDS_MAX = 1000;
/** After a start the spare is still loading. */
const SETTLE_MS = 3000;
const COST_MAX_PERCENT = 1;
const MS_PER_S = 1000;

/** The same figure with and without onlookers, measured in succession. */
interface Pair<Figure> {
  readonly alone: Figure;
  readonly watched: Figure;
}

interface Figures {
  /** Processor time of the idle system, in milliseconds a second. */
  readonly idle: readonly Pair<number>[];
  readonly load: readonly Pair<Measurement>[];
}

const COLUMNS: readonly Column<readonly [what: string, pairs: readonly Pair<number>[], unit: string]>[] = [
  { title: 'system', align: 'left', cell: ([what, , unit]) => `${what}, ${unit}` },
  { title: 'alone', cell: ([, pairs]) => shown(spreadOf(pairs.map(({ alone }) => alone)).median) },
  { title: 'watched', cell: ([, pairs]) => shown(spreadOf(pairs.map(({ watched }) => watched)).median) },
  { title: 'watched / alone', cell: ([, pairs]) => ratioInWords(pairs) },
];

/** Measures the cost of onlookers. */
export const watchCommand: Command = {
  name: 'watch',
  summary: 'what the page of operations and a scrape of the metrics each second cost',
  details: `Idle, the processor time tells it to a part in a thousand of the machine, and that is what is judged: the work of a
look does not depend on the load. The throughput of a loaded system is shown beside it, and varies by more.`,
  options: {
    ...LOAD_OPTIONS,
    seconds: { ...LOAD_OPTIONS.seconds, default: '5' },
    rounds: { value: 'N', default: '5', help: 'turns of each' },
  },
  prepare(values) {
    const load = readLoad(values);
    const workers = readWorkers(values);
    const rounds = values.whole('rounds', 1, ROUNDS_MAX);
    return async (context) => {
      const figures = await withTarget(
        () => startSystem(workers, context.signal),
        context.signal,
        async (target) => {
          await delay(SETTLE_MS, undefined, { signal: context.signal });
          const idle = await inPairs(rounds, target, (label) =>
            idleOf(target, load.durationMs, label, context),
          );
          const order = { scenario: scenarioOf('read'), load };
          const loaded = await inPairs(rounds, target, (label) =>
            measure(target, { ...order, label: `loaded, ${label}` }, context.progress, context.signal),
          );
          return { idle, load: loaded };
        },
      );
      const costPercent = costPercentOf(figures, workers);
      const measurements = figures.load.flatMap(({ alone, watched }) => [alone, watched]);
      return {
        text: `${tableOf(figures)}\n\nA page and a scrape a second take ${costPercent.toFixed(2)} % of ${workers} cores.`,
        results: { plan: { load, workers, rounds }, ...figures, costPercent },
        measurements,
        complaints: [
          ...failureComplaints(measurements),
          ...(costPercent > COST_MAX_PERCENT
            ? [`watching costs ${costPercent.toFixed(2)} %, at most ${COST_MAX_PERCENT}`]
            : []),
        ],
      };
    };
  },
};

async function inPairs<Figure>(
  rounds: number,
  target: SystemTarget,
  take: (label: string) => Promise<Figure>,
): Promise<Pair<Figure>[]> {
  const pairs: Pair<Figure>[] = [];
  while (pairs.length < rounds) {
    const label = `${pairs.length + 1} of ${rounds}`;
    const alone = await take(`alone ${label}`);
    const onlookers = new Onlookers(target.dataDir);
    const watched = await take(`watched ${label}`);
    onlookers.close();
    pairs.push({ alone, watched });
  }
  return pairs;
}

/** @returns the system's processor time in milliseconds a second */
async function idleOf(
  { pid }: SystemTarget,
  durationMs: number,
  label: string,
  { progress, signal }: Context,
): Promise<number> {
  progress.show(`idle, ${label}`);
  const beforeMs = cpuTimeMs(pid);
  const startMs = performance.now();
  await delay(durationMs, undefined, { signal });
  const afterMs = cpuTimeMs(pid);
  if (beforeMs === undefined || afterMs === undefined) throw new Error('this needs /proc, so Linux');
  return ((afterMs - beforeMs) * MS_PER_S) / (performance.now() - startMs);
}

/** The cost as a share of as many cores as there are workers. */
function costPercentOf({ idle }: Figures, workers: number): number {
  const moreMs = spreadOf(idle.map(({ alone, watched }) => watched - alone)).median;
  return (100 * moreMs) / (workers * MS_PER_S);
}

function tableOf({ idle, load }: Figures): string {
  const rates = load.map(({ alone, watched }) => {
    return { alone: alone.requestsPerSecond, watched: watched.requestsPerSecond };
  });
  return renderTable(COLUMNS, [
    ['idle', idle, 'ms of processor a second'],
    [`read by ${load[0]!.alone.load.connections} connections`, rates, 'requests/s'],
  ]);
}

function shown(value: number): string {
  return value < 100 ? value.toFixed(1) : whole(value);
}

function ratioInWords(pairs: readonly Pair<number>[]): string {
  const { median, min, max } = spreadOf(pairs.map(({ alone, watched }) => watched / alone));
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}
