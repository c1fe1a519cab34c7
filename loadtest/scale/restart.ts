import { statSync } from 'node:fs';
import { join } from 'node:path';
import { whole } from '../../src/testing/chaos/table.ts';
import { type SystemTarget, startSystem, withTarget } from '../target.ts';
import type { Curve, Point } from './curve.ts';
import { withSeeded } from './rows.ts';

const ROWS = [1000, 100_000, 1_000_000, 10_000_000];
const MB = 1024 * 1024;
const AFTER_STOP = 'after a stop, ms';
const AFTER_KILL = 'after SIGKILL, ms';

export const restart: Curve = {
  name: 'restart',
  title: 'From the start to serving, by the size of the database',
  async measure({ workers, rowsMax }, context) {
    const points: Point[] = [];
    for (const count of ROWS.filter((candidate) => candidate <= rowsMax)) {
      await withSeeded(count, context, async (dataDir) => {
        const sizeMb = statSync(join(dataDir, 'main.db')).size / MB;
        const start = () => startSystem(workers, context.signal, { dataDir });
        const timed = async (gracefully: boolean) => {
          const startMs = performance.now();
          const target: SystemTarget = await start();
          const tookMs = performance.now() - startMs;
          await target.stop(gracefully);
          return tookMs;
        };
        context.progress.show(`${whole(count)} alerts: restarting`);
        // The first start makes the replica and does not count as a restart.
        await withTarget(start, context.signal, async () => {});
        const stopped = await timed(false);
        const killed = await timed(true);
        points.push({ x: sizeMb, figures: { [AFTER_STOP]: stopped, [AFTER_KILL]: killed } });
        context.progress.note(
          `${whole(sizeMb)} MB: ${whole(stopped)} ms after a stop, ${whole(killed)} ms after SIGKILL`,
        );
      });
    }
    return {
      name: this.name,
      title: this.title,
      xLabel: 'MB',
      points,
      remarks: ['A start checks the whole of the database, and of the replica asks only what it has.'],
      measurements: [],
    };
  },
};
