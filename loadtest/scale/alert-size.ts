import { scenarioOf } from '../scenarios.ts';
import { startSystem, withTarget } from '../target.ts';
import type { Curve } from './curve.ts';
import { type LoadPoint, loadCurve, measureStep, WARMUP_MS } from './load-points.ts';

/** Additional characters of the image's URL, which may have 2,048 in all. */
const EXTRA_CHARS = [0, 100, 400, 1000, 2000];

export const alertSize: Curve = {
  name: 'size',
  title: 'Size of an alert',
  async measure({ durationMs, connections, workers }, context) {
    const points = await withTarget(
      () => startSystem(workers, context.signal),
      context.signal,
      async (target) => {
        const found: LoadPoint[] = [];
        for (const extraChars of EXTRA_CHARS) {
          const load = { connections, warmupMs: WARMUP_MS, durationMs, extraChars };
          const step = { label: `${extraChars} more characters`, scenarios: ['write'], load };
          const bodyBytes = sizeOf(extraChars);
          found.push({ x: bodyBytes, measurements: await measureStep(target, step, context) });
        }
        return found;
      },
    );
    return loadCurve({ name: this.name, title: this.title, xLabel: 'bytes' }, points);
  },
};

function sizeOf(extraChars: number): number {
  const lane = { connection: 0, connections: 1, seededAlerts: 0, pages: [], extraChars };
  const [request] = scenarioOf('write').requests(lane);
  return Buffer.byteLength(request!.body!('an-id-of-22-characters'));
}
