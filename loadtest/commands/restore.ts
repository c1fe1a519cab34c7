import { type Column, renderTable, whole } from '../../src/testing/chaos/table.ts';
import type { Command } from '../command.ts';
import { measureRestores, type RestoreTiming, restoreLimitMs } from '../replica/restores.ts';

const MB = 1024 * 1024;

const COLUMNS: readonly Column<RestoreTiming>[] = [
  { title: 'what', align: 'left', cell: ({ what }) => what },
  { title: 'from', align: 'left', cell: ({ from }) => from },
  { title: 'MB', cell: ({ sizeBytes }) => whole(sizeBytes / MB) },
  { title: 'seconds', cell: ({ durationMs }) => (durationMs / 1000).toFixed(1) },
  { title: 'MB/s', cell: ({ durationMs, sizeBytes }) => whole(sizeBytes / MB / (durationMs / 1000)) },
  { title: 'limit s', cell: ({ sizeBytes }) => (restoreLimitMs(sizeBytes) / 1000).toFixed(1) },
];

/** Compares our restore of a large database with the stock binary alone and a plain copy. */
export const restoreCommand: Command = {
  name: 'restore',
  summary: 'restores a database from a folder and over S3, beside litestream restore alone and cp',
  details: 'Half of the database is incompressible. The S3 server is on this machine, and one process.',
  options: {
    mb: {
      value: 'N',
      default: '256',
      help: 'size of the database; twice to three times as much disk is needed',
    },
    segments: {
      value: 'N',
      default: '0',
      help: 'single commits after the snapshot, each shipped by itself',
    },
    latency: {
      value: 'MS',
      default: '0',
      help: 'how long the S3 server takes longer with each request of a restore, as over a network',
    },
    rounds: { value: 'N', default: '1', help: 'times each' },
  },
  prepare(values) {
    const sizeMb = values.whole('mb', 8, 100_000);
    const segments = values.whole('segments', 0, 1_000_000);
    const latencyMs = values.whole('latency', 0, 10_000);
    const rounds = values.whole('rounds', 1, 100);
    return async ({ progress, signal }) => {
      const { timings, cost } = await measureRestores(
        { sizeMb, segments, latencyMs, rounds },
        signal,
        (text) => progress.show(text),
      );
      const late = timings.filter(
        ({ what, durationMs, sizeBytes }) => what.startsWith('npm') && durationMs > restoreLimitMs(sizeBytes),
      );
      return {
        text: `${renderTable(COLUMNS, timings)}\n\nover S3: the replica took ${cost.puts} PUT requests and ${whole(cost.uploadedBytes / MB)} MB; a restore took ${cost.restoreGets} GET requests`,
        results: { timings, cost },
        measurements: [],
        complaints: late.map(
          ({ from, durationMs }) => `the restore from ${from} took ${Math.round(durationMs / 1000)} s`,
        ),
      };
    };
  },
};
