import { startSystem, withTarget } from '../target.ts';
import type { Curve } from './curve.ts';
import { type LoadPoint, loadCurve, measureStep, WARMUP_MS } from './load-points.ts';

const WORKERS = [1, 2, 3, 4];

export const workers: Curve = {
  name: 'workers',
  title: 'HTTP workers',
  async measure({ durationMs, connections }, context) {
    const points: LoadPoint[] = [];
    for (const count of WORKERS) {
      const step = {
        label: `${count} workers`,
        scenarios: ['read', 'write'],
        load: { connections, warmupMs: WARMUP_MS, durationMs },
      };
      const measurements = await withTarget(
        () => startSystem(count, context.signal),
        context.signal,
        (target) => measureStep(target, step, context),
      );
      points.push({ x: count, measurements });
    }
    return loadCurve({ name: this.name, title: this.title, xLabel: 'workers' }, points);
  },
};
