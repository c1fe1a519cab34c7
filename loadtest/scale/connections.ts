import { readFamily } from '../support/cpu-time.ts';
import { startSystem, withTarget } from '../target.ts';
import type { Curve } from './curve.ts';
import { type LoadPoint, loadCurve, measureStep, WARMUP_MS } from './load-points.ts';

const CONNECTIONS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const MB = 1024 * 1024;
const MEMORY = 'memory MB';

export const connections: Curve = {
  name: 'connections',
  title: 'Connections, each with one request under way; and the memory of all processes after it',
  async measure({ durationMs, workers }, context) {
    const points = await withTarget(
      () => startSystem(workers, context.signal),
      context.signal,
      async ({ pid, ...target }) => {
        const found: LoadPoint[] = [];
        for (const count of CONNECTIONS) {
          const load = { connections: count, warmupMs: WARMUP_MS, durationMs };
          const label = `${count} connections`;
          const measurements = await measureStep(
            { ...target, pid },
            { label, scenarios: ['read', 'write'], load },
            context,
          );
          const rssBytes = readFamily(pid).reduce((sum, reading) => sum + reading.rssBytes, 0);
          found.push({ x: count, measurements, more: { [MEMORY]: rssBytes / MB } });
        }
        return found;
      },
    );
    return loadCurve({ name: this.name, title: this.title, xLabel: 'connections' }, points);
  },
};
