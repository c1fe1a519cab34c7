import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { milliseconds, whole } from '../../src/testing/chaos/table.ts';
import { makeTemporaryFolder, removeFolder } from '../../src/testing/running-system.ts';
import { limitInWords } from '../busy.ts';
import type { Measurement } from '../measurement.ts';
import { spreadOf } from '../statistics.ts';
import { compileSlowFsync, slowFsyncEnv } from '../support/slow-fsync.ts';
import { startSystem, withTarget } from '../target.ts';
import type { Curve, Point } from './curve.ts';
import { measureStep, WARMUP_MS } from './load-points.ts';
import { commitsOf } from './offline-database.ts';

/** From the disk as it is to a network disk in a bad hour. */
const DELAYS_US = [0, 500, 1000, 2000, 5000, 10_000];
const PROBE_SYNCS = 100;
const PAGE_BYTES = 4096;
const COMMITS = 'commits/s';
const WRITES = 'writes/s';
const PER_COMMIT = 'writes a commit';
const P99 = 'write p99 ms';

export const fsync: Curve = {
  name: 'fsync',
  title: 'Cost of an fsync: this disk, and slowed down as a network disk is',
  async measure({ durationMs, connections, workers }, context) {
    const folder = makeTemporaryFolder();
    const empty = { name: this.name, title: this.title, xLabel: 'ms an fsync', measurements: [] };
    try {
      const library = compileSlowFsync(folder);
      const baseMs = probe(folder);
      const points: Point[] = [];
      const measurements: Measurement[] = [];
      // Without a compiler there is one point: the disk as it is.
      for (const delayUs of library === undefined ? [0] : DELAYS_US) {
        // The library is loaded even without a delay, so the delay is the only difference.
        const env = library === undefined ? {} : slowFsyncEnv(library, delayUs);
        const syncMs = baseMs + delayUs / 1000;
        const label = `an fsync of ${milliseconds(syncMs)} ms`;
        await withTarget(
          () => startSystem(workers, context.signal, { env }),
          context.signal,
          async (target) => {
            const load = { connections, warmupMs: WARMUP_MS, durationMs };
            const before = commitsOf(target.dataDir);
            const startMs = performance.now();
            const [write] = await measureStep(target, { label, scenarios: ['write'], load }, context);
            const tookSeconds = (performance.now() - startMs) / 1000;
            const commits = (commitsOf(target.dataDir) - before) / tookSeconds;
            measurements.push(write!);
            points.push({
              x: syncMs,
              figures: {
                [COMMITS]: commits,
                [WRITES]: write!.requestsPerSecond,
                [PER_COMMIT]: write!.requestsPerSecond / commits,
                [P99]: write!.latencyMs.p99,
              },
              busy: `in fsync ${whole(Math.min(100, (commits * syncMs) / 10))} % of the time; ${limitInWords(write!)}`,
            });
          },
        );
      }
      return {
        ...empty,
        points,
        remarks: [
          'The longer an fsync takes, the more writes gather for the next commit, so writes/s fall far less than commits/s; they end at connections / fsync time.',
          library === undefined
            ? 'The slower disks were left out: gcc or cc is needed to make them.'
            : "The delay is in the writer's fsync, by a preloaded library; Litestream calls the kernel itself and keeps the fast disk.",
        ],
        measurements,
      };
    } finally {
      removeFolder(folder);
    }
  },
};

/** @returns how long it takes to append a page and fsync it, in milliseconds */
function probe(folder: string): number {
  const fd = openSync(join(folder, 'probe'), 'w');
  try {
    const page = Buffer.alloc(PAGE_BYTES, 1);
    const tookMs = Array.from({ length: PROBE_SYNCS }, () => {
      const startMs = performance.now();
      writeSync(fd, page);
      fdatasyncSync(fd);
      return performance.now() - startMs;
    });
    return spreadOf(tookMs).median;
  } finally {
    closeSync(fd);
  }
}
