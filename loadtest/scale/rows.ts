import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { whole } from '../../src/testing/chaos/table.ts';
import { makeTemporaryFolder, removeFolder } from '../../src/testing/running-system.ts';
import { until } from '../../src/testing/wait.ts';
import type { Context } from '../command.ts';
import { startSystem, withTarget } from '../target.ts';
import type { Curve, CurveResult } from './curve.ts';
import { type LoadPoint, loadCurve, measureStep, WARMUP_MS } from './load-points.ts';
import { makeDatabase } from './offline-database.ts';

const ROWS = [1000, 10_000, 100_000, 1_000_000, 10_000_000];
const SNAPSHOT_TIMEOUT_MS = 300_000;

export const rows: Curve = {
  name: 'rows',
  title: 'Alerts in the database',
  async measure({ durationMs, connections, workers, rowsMax }, context): Promise<CurveResult> {
    const points: LoadPoint[] = [];
    for (const count of ROWS.filter((candidate) => candidate <= rowsMax)) {
      const measurements = await withSeeded(count, context, async (dataDir) => {
        const step = {
          label: `${whole(count)} alerts`,
          scenarios: ['read', 'write'],
          load: { connections, warmupMs: WARMUP_MS, durationMs },
          seededAlerts: count,
        };
        return await withTarget(
          () => startSystem(workers, context.signal, { dataDir }),
          context.signal,
          async (target) => {
            context.progress.show(`${step.label}: waiting for the first snapshot`);
            // The first snapshot reads the whole database, once in its life, and does not belong to the curve.
            await until(() => hasSnapshot(dataDir), 'the first snapshot', SNAPSHOT_TIMEOUT_MS);
            return await measureStep(target, step, context);
          },
        );
      });
      points.push({ x: count, measurements });
    }
    return loadCurve({ name: this.name, title: this.title, xLabel: 'alerts' }, points);
  },
};

/** Makes a data folder with so many alerts, and removes it after `use`. */
export async function withSeeded<Result>(
  count: number,
  { progress, signal }: Context,
  use: (dataDir: string) => Promise<Result>,
): Promise<Result> {
  const dataDir = makeTemporaryFolder();
  try {
    progress.show(`${whole(count)} alerts: seeding`);
    await makeDatabase(dataDir, count, signal);
    return await use(dataDir);
  } finally {
    removeFolder(dataDir);
  }
}

function hasSnapshot(dataDir: string): boolean {
  const replica = join(dataDir, 'replica');
  return (
    existsSync(replica) &&
    globSync('main/generations/*/snapshots/*.snapshot.lz4', { cwd: replica }).length > 0
  );
}
