import { reload } from '../commands.ts';
import { atLeast, atMost, type Trial, withSpeed } from '../trial.ts';

export const reloads: Trial = {
  name: 'reload',
  fault: 'a new release and a reload, one after the other',
  size: { unit: 'times', full: 20, short: 3 },
  victims: undefined,
  limits: [
    atMost(0, 'requests', 'failed'),
    atMost(0, 'commands', 'reloads that failed'),
    withSpeed(atLeast(500, 'requests', 'requests a reload')),
  ],
  async run(stage, times) {
    await stage.start();
    const load = await stage.startLoad();
    const tookMs: number[] = [];
    let failed = 0;
    const before = load.counts.requests;
    for (let turn = 0; turn < times; turn += 1) {
      stage.progress(`${turn} of ${times}`);
      stage.makeRelease(`1.${turn}.0`);
      const startMs = performance.now();
      const { code } = await reload(stage);
      if (code !== 0) failed += 1;
      tookMs.push(performance.now() - startMs);
    }
    const requests = load.counts.requests - before;
    return {
      injected: times,
      recoveryMs: tookMs,
      figures: { 'reloads that failed': failed, 'requests a reload': requests / times },
      notes: ['recovery is how long a reload took, the command included'],
    };
  },
};
