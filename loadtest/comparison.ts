import type { Turn } from './compare.ts';
import { failureCount, type Measurement } from './measurement.ts';
import { type Peer, peers } from './peers.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { type Column, milliseconds, renderTable, whole } from './table.ts';

/** All rounds of one peer in one scenario. */
interface Row {
  readonly peer: Peer;
  readonly scenario: string;
  readonly measurements: readonly Measurement[];
}

/** How many times as many requests a second the one serves as the other, round by round. */
export interface Ratio extends Spread {
  readonly label: string;
}

type Side = readonly [peer: string, scenario: string];

const RATIOS: readonly { readonly label: string; readonly of: Side; readonly to: Side }[] = [
  { label: 'read: ours / bare node:http', of: ['ours', 'read'], to: ['http', 'read'] },
  { label: 'read: ours / bare Koa', of: ['ours', 'read'], to: ['koa', 'read'] },
  { label: 'read: ours / naive', of: ['ours', 'read'], to: ['naive-full', 'read'] },
  { label: 'write: ours / naive FULL', of: ['ours', 'write'], to: ['naive-full', 'write'] },
  { label: 'write: ours / naive NORMAL', of: ['ours', 'write'], to: ['naive-normal', 'write'] },
  { label: 'ours: durable write / read', of: ['ours', 'write'], to: ['ours', 'read'] },
];

const COLUMNS: readonly Column<Row>[] = [
  { title: 'scenario', align: 'left', cell: ({ scenario }) => scenario },
  { title: 'peer', align: 'left', cell: ({ peer }) => peer.title },
  { title: 'requests/s', cell: (row) => whole(over(row, rate).median) },
  { title: '(min–max)', cell: (row) => range(over(row, rate)) },
  { title: 'p50 ms', cell: (row) => milliseconds(over(row, ({ latencyMs }) => latencyMs.p50).median) },
  { title: 'p99 ms', cell: (row) => milliseconds(over(row, ({ latencyMs }) => latencyMs.p99).median) },
  { title: 'server µs/request', cell: (row) => serverCost(row) },
  { title: 'client busy', cell: (row) => `${whole(over(row, clientBusyPercent).median)} %` },
  { title: 'failed', cell: (row) => whole(over(row, ({ failures }) => failureCount(failures)).max) },
  { title: 'a write survives', align: 'left', cell: ({ peer }) => peer.survives },
];

const RATIO_COLUMNS: readonly Column<Ratio>[] = [
  { title: 'ratio of requests/s', align: 'left', cell: ({ label }) => label },
  { title: 'median', cell: ({ median }) => median.toFixed(2) },
  { title: '(min–max)', cell: ({ min, max }) => `(${min.toFixed(2)}–${max.toFixed(2)})` },
];

/** @returns the ratios whose both sides were measured */
export function ratiosOf(turns: readonly Turn[]): Ratio[] {
  return RATIOS.flatMap(({ label, of, to }) => {
    const dividends = measurementsOf(turns, ...of);
    const divisors = measurementsOf(turns, ...to);
    if (dividends.length === 0 || divisors.length === 0) return [];
    // Both lists are in the order of the rounds, and what a round had of noise, both sides had.
    const quotients = dividends.map((dividend, index) => rate(dividend) / rate(divisors[index]!));
    return [{ label, ...spreadOf(quotients) }];
  });
}

/** @returns the whole comparison as tables, with what a reader has to know about them */
export function comparisonTable(turns: readonly Turn[]): string {
  const scenarios = [...new Set(turns.map(({ measurement }) => measurement.scenario))];
  const rows = scenarios.flatMap((scenario) =>
    peers
      .map((peer) => ({ peer, scenario, measurements: measurementsOf(turns, peer.name, scenario) }))
      .filter(({ measurements }) => measurements.length > 0),
  );
  return `${renderTable(COLUMNS, rows)}

${renderTable(RATIO_COLUMNS, ratiosOf(turns))}

Medians of the rounds; ratios are taken round by round. "server µs/request" is processor time of all the server's
processes; "client busy" is the load generator's share of one core: it takes its part of the same cores, and the
nearer to 100 % it comes, the more the requests/s are its limit and not the server's. Only this system writes a log
line a request and replicates.`;
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

function clientBusyPercent({ cpu, durationMs }: Measurement): number {
  return (100 * cpu.clientMs) / durationMs;
}

function serverCost(row: Row): string {
  if (row.measurements.some(({ cpu }) => cpu.serverMs === undefined)) return '–';
  return whole(over(row, ({ cpu, requests }) => (1000 * cpu.serverMs!) / requests).median);
}

function range({ min, max }: Spread): string {
  return `(${whole(min)}–${whole(max)})`;
}
