import { type Death, killChildren, recoveryMs } from '../faults.ts';
import { atMost, type Trial } from '../trial.ts';

export const writerKilled: Trial = {
  name: 'writer-killed',
  fault: 'SIGKILL the writer every second',
  size: { unit: 'seconds', full: 60, short: 6 },
  victims: /^writer$/,
  limits: [
    atMost(0, 'requests', 'failed'),
    // The default WRITE_DEADLINE_MS.
    atMost(5000, 'ms', 'slowest write'),
  ],
  async run(stage, seconds) {
    await stage.start();
    await stage.startLoad();
    const deaths: Death[] = [];
    await stage.everySecond(seconds, async () => {
      // Anywhere between two commits, or in one.
      await stage.sleep(stage.random.below(100));
      deaths.push(...(await killChildren(stage, ['writer'])));
    });
    const records = await stage.stopLoad();
    const writes = records.filter(({ kind }) => kind === 'write');
    return {
      injected: deaths.length,
      recoveryMs: recoveryMs(deaths),
      figures: { 'slowest write': writes.reduce((worst, { latencyMs }) => Math.max(worst, latencyMs), 0) },
    };
  },
};
