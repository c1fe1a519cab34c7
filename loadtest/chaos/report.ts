import { type Column, milliseconds, renderTable, whole } from '../table.ts';
import type { FailureKind } from './clients/record.ts';
import type { TrialResult } from './run.ts';

const KINDS: readonly FailureKind[] = ['refused', 'reset', 'hung', '5xx', 'wrong', 'other'];

const COLUMNS: readonly Column<TrialResult>[] = [
  { title: 'trial', align: 'left', cell: ({ name }) => name },
  { title: 'fault', align: 'left', cell: ({ fault }) => fault },
  { title: 'times', cell: ({ injected }) => whole(injected) },
  { title: 'requests', cell: ({ figures }) => count(figures['requests']) },
  { title: 'failed', cell: failed },
  { title: 'worst ms', cell: ({ worstMs }) => measured(worstMs) },
  { title: 'recovery p50', cell: ({ recoveryMs }) => measured(recoveryMs.p50) },
  { title: 'p99 ms', cell: ({ recoveryMs }) => measured(recoveryMs.p99) },
  {
    title: 'verdict',
    align: 'left',
    cell: ({ verdict, reasons }) => [verdict, ...reasons.slice(0, 1)].join(': '),
  },
];

/** @returns the table, with what does not fit into it below */
export function renderReport(results: readonly TrialResult[]): string {
  const below = results.flatMap(({ name, reasons, notes }) => [
    ...reasons.slice(1).map((reason) => `${name}: ${reason}`),
    ...notes.map((note) => `${name}: ${note}`),
  ]);
  return [renderTable(COLUMNS, results), ...(below.length > 0 ? ['', ...below] : [])].join('\n');
}

/** Such as `31 (30 reset, 1 5xx)`. */
function failed({ figures }: TrialResult): string {
  const total = figures['failed'];
  if (total === undefined) return '–';
  const kinds = KINDS.map((kind) => [figures[kind === 'wrong' ? 'wrong reads' : kind] ?? 0, kind] as const);
  const named = kinds.filter(([value]) => value > 0).map(([value, kind]) => `${whole(value)} ${kind}`);
  return named.length === 0 ? whole(total) : named.join(', ');
}

function count(value: number | undefined): string {
  return value === undefined ? '–' : whole(value);
}

function measured(valueMs: number): string {
  return Number.isNaN(valueMs) ? '–' : milliseconds(valueMs);
}
