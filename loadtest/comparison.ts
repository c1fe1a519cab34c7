import { type Column, milliseconds, renderTable, whole } from '../src/testing/chaos/table.ts';
import type { Turn } from './compare.ts';
import { failureCount, type Measurement } from './measurement.ts';
import { type Peer, peers } from './peers.ts';
import { LOAD_GENERATOR, summarize } from './process-sampler.ts';
import { type Spread, spreadOf } from './statistics.ts';

const MB = 1024 * 1024;
const WORKER = /^worker-\d+$/;

/** All rounds of one peer in one scenario. */
interface Row {
  readonly peer: Peer;
  readonly scenario: string;
  readonly measurements: readonly Measurement[];
}

/** The ratio of two peers, round by round. */
export interface Ratio extends Spread {
  readonly label: string;
}

type Side = readonly [peer: string, scenario: string];

interface RatioOf {
  readonly label: string;
  readonly of: Side;
  readonly to: Side;
  readonly figure: (measurement: Measurement) => number;
}

const RATIOS: readonly RatioOf[] = [
  { label: 'read: ours / bare node:http', of: ['ours', 'read'], to: ['http', 'read'], figure: rate },
  { label: 'read: ours / bare Koa', of: ['ours', 'read'], to: ['koa', 'read'], figure: rate },
  { label: 'read: ours / naive', of: ['ours', 'read'], to: ['naive-full', 'read'], figure: rate },
  {
    label: 'read with a key: ours / naive without',
    of: ['ours-keyed', 'read'],
    to: ['naive-full', 'read'],
    figure: rate,
  },
  {
    label: 'read by short connections: ours / naive',
    of: ['ours', 'short-read'],
    to: ['naive-full', 'short-read'],
    figure: rate,
  },
  { label: 'µs of a read: ours / naive', of: ['ours', 'read'], to: ['naive-full', 'read'], figure: costUs },
  {
    label: 'µs of a read with a key: ours / naive without',
    of: ['ours-keyed', 'read'],
    to: ['naive-full', 'read'],
    figure: costUs,
  },
  {
    label: 'µs of a short connection: ours / naive',
    of: ['ours', 'short-read'],
    to: ['naive-full', 'short-read'],
    figure: costUs,
  },
  { label: 'write: ours / naive FULL', of: ['ours', 'write'], to: ['naive-full', 'write'], figure: rate },
  {
    label: 'write: ours / naive NORMAL',
    of: ['ours', 'write'],
    to: ['naive-normal', 'write'],
    figure: rate,
  },
  { label: 'ours: durable write / read', of: ['ours', 'write'], to: ['ours', 'read'], figure: rate },
  {
    label: 'p99 of a write: ours / naive FULL',
    of: ['ours', 'write'],
    to: ['naive-full', 'write'],
    figure: p99,
  },
  {
    label: 'p99 of a write: ours / naive NORMAL',
    of: ['ours', 'write'],
    to: ['naive-normal', 'write'],
    figure: p99,
  },
];

const COLUMNS: readonly Column<Row>[] = [
  { title: 'scenario', align: 'left', cell: ({ scenario }) => scenario },
  { title: 'peer', align: 'left', cell: ({ peer }) => peer.title },
  { title: 'requests/s', cell: (row) => whole(over(row, rate).median) },
  { title: '(min–max)', cell: (row) => range(over(row, rate)) },
  { title: 'p50 ms', cell: (row) => milliseconds(over(row, ({ latencyMs }) => latencyMs.p50).median) },
  { title: 'p99 ms', cell: (row) => milliseconds(over(row, ({ latencyMs }) => latencyMs.p99).median) },
  { title: 'server µs/request', cell: (row) => serverCost(row) },
  { title: 'MB after, all', cell: (row) => whole(over(row, memoryMb).median) },
  { title: 'a worker', cell: workerMb },
  { title: 'client busy', cell: (row) => `${whole(over(row, clientBusyPercent).median)} %` },
  { title: 'failed', cell: (row) => whole(over(row, ({ failures }) => failureCount(failures)).max) },
  { title: 'a write survives', align: 'left', cell: ({ peer }) => peer.survives },
];

const RATIO_COLUMNS: readonly Column<Ratio>[] = [
  { title: 'ratio of requests/s, p99 or µs', align: 'left', cell: ({ label }) => label },
  { title: 'median', cell: ({ median }) => median.toFixed(2) },
  { title: '(min–max)', cell: ({ min, max }) => `(${min.toFixed(2)}–${max.toFixed(2)})` },
];

/** @returns the ratios of which both sides were measured */
export function ratiosOf(turns: readonly Turn[]): Ratio[] {
  return RATIOS.flatMap(({ label, of, to, figure }) => {
    const dividends = measurementsOf(turns, ...of);
    const divisors = measurementsOf(turns, ...to);
    if (dividends.length === 0 || divisors.length === 0) return [];
    // Both lists are in the order of the rounds, so both sides of a ratio had the same noise.
    const quotients = dividends.map((dividend, index) => figure(dividend) / figure(divisors[index]!));
    return [{ label, ...spreadOf(quotients) }];
  });
}

const NOTES = [
  'Medians of the rounds; ratios are taken round by round.',
  '"MB after" is the resident memory when the load ends: of all the server\'s processes, which counts what they share once for each, and of this system\'s largest worker.',
  '"server µs/request" is processor time of all the server\'s processes; "client busy" is the load generator\'s share of one core: it takes its part of the same cores, and the nearer to 100 % it comes, the more the requests/s are its limit and not the server\'s.',
  "Every peer runs under node:cluster, which is what PM2 in its cluster mode uses too. The naive stack has this system's table, statements and validation; only this system writes a log line a request, replicates, and is supervised.",
];

/** @returns the whole comparison as tables, with notes for the reader */
export function comparisonTable(turns: readonly Turn[]): string {
  const tables = [
    loadLine(turns),
    renderTable(COLUMNS, rowsOf(turns)),
    renderTable(RATIO_COLUMNS, ratiosOf(turns)),
  ];
  return [...tables, NOTES.join('\n')].join('\n\n');
}

/** The generator and its load: figures of two generators are not comparable. */
function loadLine(turns: readonly Turn[]): string {
  const { connections, durationMs, generator = 'autocannon' } = turns[0]!.measurement.load;
  return `Load generator: ${generator}, ${connections} connections, ${durationMs / 1000} s a turn.`;
}

function rowsOf(turns: readonly Turn[]): Row[] {
  const scenarios = [...new Set(turns.map(({ measurement }) => measurement.scenario))];
  return scenarios.flatMap((scenario) =>
    peers
      .map((peer) => ({ peer, scenario, measurements: measurementsOf(turns, peer.name, scenario) }))
      .filter(({ measurements }) => measurements.length > 0),
  );
}

function measurementsOf(turns: readonly Turn[], peer: string, scenario: string): Measurement[] {
  return turns
    .filter((turn) => turn.peer === peer && turn.measurement.scenario === scenario)
    .map(({ measurement }) => measurement);
}

function over({ measurements }: Row, value: (measurement: Measurement) => number): Spread {
  return spreadOf(measurements.map(value));
}

function rate({ requestsPerSecond }: Measurement): number {
  return requestsPerSecond;
}

function p99({ latencyMs }: Measurement): number {
  return latencyMs.p99;
}

function clientBusyPercent({ cpu, durationMs }: Measurement): number {
  return (100 * cpu.clientMs) / durationMs;
}

function serverCost(row: Row): string {
  if (row.measurements.some(({ cpu }) => cpu.serverMs === undefined)) return '–';
  return whole(over(row, costUs).median);
}

/** NaN where the platform gives no processor times. */
function costUs({ cpu, requests }: Measurement): number {
  return (1000 * (cpu.serverMs ?? Number.NaN)) / requests;
}

/** Memory of all processes of the server when the load ends. */
function memoryMb({ processes }: Measurement): number {
  const last = summarize(processes).filter(({ name }) => name !== LOAD_GENERATOR);
  return last.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / MB;
}

/** Memory of this system's largest worker; the peers' workers have no names. */
function workerMb(row: Row): string {
  const largest = over(row, ({ processes }) => {
    const workers = summarize(processes).filter(({ name }) => WORKER.test(name));
    return Math.max(...workers.map(({ rssBytes }) => rssBytes)) / MB;
  }).median;
  return Number.isFinite(largest) ? whole(largest) : '–';
}

function range({ min, max }: Spread): string {
  return `(${whole(min)}–${whole(max)})`;
}
