import type { FailureKind } from '../record.ts';
import type { TrialResult } from './result.ts';
import { type Column, milliseconds, renderTable, whole } from './table.ts';
import { needsSpeed } from './verdict.ts';

const KINDS: readonly FailureKind[] = ['refused', 'reset', 'hung', '5xx', 'wrong', 'other'];

/** The longest reason in the table; a longer one is repeated in full below it. */
const REASON_MAX_CHARS = 90;

const COLUMNS: readonly Column<TrialResult>[] = [
  { title: 'trial', align: 'left', cell: ({ name }) => name },
  { title: 'fault', align: 'left', cell: ({ fault }) => fault },
  { title: 'times', cell: ({ injected }) => whole(injected) },
  { title: 'requests', cell: ({ figures }) => count(figures.requests) },
  { title: 'failed', cell: failed },
  { title: 'worst ms', cell: ({ worstMs }) => measured(worstMs) },
  { title: 'recovery p50', cell: ({ recoveryMs }) => measured(recoveryMs.p50) },
  { title: 'p99 ms', cell: ({ recoveryMs }) => measured(recoveryMs.p99) },
  {
    title: 'verdict',
    align: 'left',
    cell: verdictLine,
  },
];

/** @returns the table, and below it, one per line, the reasons and notes that do not fit */
export function renderReport(results: readonly TrialResult[]): string {
  const below = results.flatMap(({ name, reasons, notes }) =>
    [...reasons.filter((reason, index) => index > 0 || brief(reason) !== reason), ...notes].map(
      (text) => `${name}: ${text.split('\n', 1)[0]}`,
    ),
  );
  if (results.some(({ findings }) => findings.some((one) => !one.holds && needsSpeed(one))))
    below.push(
      'Limits in ms are for a machine that does nothing else: hold such a trial again on a quiet one.',
    );
  return [renderTable(COLUMNS, results), ...(below.length > 0 ? ['', ...below] : [])].join('\n');
}

/** @returns the verdict with the first reason, on one line */
export function verdictLine({ verdict, reasons }: TrialResult): string {
  return [verdict, ...reasons.slice(0, 1).map(brief)].join(': ');
}

function brief(reason: string): string {
  const line = reason.split('\n', 1)[0]!;
  return line.length > REASON_MAX_CHARS ? `${line.slice(0, REASON_MAX_CHARS)}…` : line;
}

/** Such as `31 (30 reset, 1 5xx)`. */
function failed({ figures }: TrialResult): string {
  const total = figures.failed;
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
