import { type Death, killChildren, recoveryMs } from '../faults.ts';
import { atMost, type Trial } from '../trial.ts';

const JUST_READY_MS = 15;
/** Enough load that the writer is always in a commit: the hard case is a kill between a commit and its answer. */
const BUSY = { kept: 36, fresh: 4, requestsPerSecond: 4000 };

export const writerKilled: Trial = {
  name: 'writer-killed',
  fault: 'SIGKILL the writer every second, or it and then its successor',
  size: { unit: 'seconds', full: 60, short: 4 },
  victims: /^writer$/,
  limits: [
    atMost(0, 'requests', 'failed'),
    // The default WRITE_DEADLINE_MS.
    atMost(5000, 'ms', 'slowest write'),
  ],
  async run(stage, seconds) {
    await stage.start();
    await stage.startLoad(BUSY);
    const deaths: Death[] = [];
    await stage.everySecond(seconds, async () => {
      // At a random moment: between two commits, or in one.
      await stage.sleep(stage.random.below(100));
      deaths.push(...(await killChildren(stage, ['writer'])));
      if (stage.random.next() < 0.5) return;
      // While the workers connect to the new writer.
      await stage.sleep(stage.random.below(JUST_READY_MS));
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
