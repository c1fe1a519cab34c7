import { type Column, milliseconds, renderTable } from '../../src/testing/chaos/table.ts';
import { UsageError } from '../../src/testing/chaos/values.ts';
import type { Command } from '../command.ts';
import { type ConfirmationCost, measureConfirmations } from '../replica/confirmations.ts';

/** The limit of p99 at the default interval and below. */
const P99_MAX_MS = 1000;

const COLUMNS: readonly Column<ConfirmationCost>[] = [
  { title: 'REPLICA_SYNC_INTERVAL_MS', cell: ({ syncIntervalMs }) => String(syncIntervalMs) },
  { title: 'writes', cell: ({ writes }) => String(writes) },
  { title: 'p50 ms', cell: ({ p50Ms }) => milliseconds(p50Ms) },
  { title: 'p99 ms', cell: ({ p99Ms }) => milliseconds(p99Ms) },
  { title: 'max ms', cell: ({ maxMs }) => milliseconds(maxMs) },
  { title: 'failed', cell: ({ failed }) => String(failed) },
  { title: 'PUT/s', cell: ({ putsPerSecond }) => putsPerSecond.toFixed(2) },
  { title: 'others/s', cell: ({ otherRequestsPerSecond }) => otherRequestsPerSecond.toFixed(2) },
  { title: 'idle/s', cell: ({ idleRequestsPerSecond }) => idleRequestsPerSecond.toFixed(2) },
];

/** How fast a replica over S3 confirms a write, and how many requests that costs. */
export const replicationCommand: Command = {
  name: 'replication',
  summary: 'how long a write takes until the replica holds it, and how many S3 requests that costs',
  details: 'Twenty writes a second, each asking for the replica. The S3 server is on this machine.',
  options: {
    seconds: { value: 'N', default: '20', help: 'under writes, for each interval' },
    intervals: { value: 'A,B', default: '1000,250,50', help: 'values of REPLICA_SYNC_INTERVAL_MS' },
  },
  prepare(values) {
    const seconds = values.whole('seconds', 1, 86_400);
    const intervals = (values.text('intervals') ?? '').split(',').map(Number);
    if (!intervals.every((ms) => Number.isInteger(ms) && ms >= 10 && ms <= 60_000)) {
      throw new UsageError('--intervals: expected milliseconds from 10 to 60000, with commas between them');
    }
    return async ({ progress, signal }) => {
      const costs: ConfirmationCost[] = [];
      for (const interval of intervals) {
        progress.show(`REPLICA_SYNC_INTERVAL_MS=${interval}`);
        costs.push(await measureConfirmations(interval, seconds * 1000, signal));
      }
      const complaints = costs.flatMap(({ syncIntervalMs, p99Ms, failed }) => [
        ...(failed > 0 ? [`at ${syncIntervalMs} ms ${failed} writes failed`] : []),
        ...(syncIntervalMs <= 1000 && p99Ms > P99_MAX_MS
          ? [`at ${syncIntervalMs} ms p99 is ${Math.round(p99Ms)} ms`]
          : []),
      ]);
      return { text: renderTable(COLUMNS, costs), results: { costs }, measurements: [], complaints };
    };
  },
};
