import { failedElsewhere } from '../blame.ts';
import { type Death, killChildren, recoveryMs, workerNames } from '../faults.ts';
import { atMost, type Trial } from '../trial.ts';

export const workerKilled: Trial = {
  name: 'worker-killed',
  fault: 'SIGKILL a random worker every second',
  size: { unit: 'seconds', full: 60, short: 4 },
  victims: /^worker-/,
  limits: [
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', 'failed elsewhere than on the victim'),
    atMost(250, 'ms', 'recovery p99'),
  ],
  async run(stage, seconds) {
    await stage.start();
    await stage.startLoad();
    const deaths: Death[] = [];
    await stage.everySecond(seconds, async () => {
      deaths.push(...(await killChildren(stage, [stage.random.pick(workerNames(stage))])));
    });
    const records = await stage.stopLoad();
    return {
      injected: deaths.length,
      recoveryMs: recoveryMs(deaths),
      figures: { 'failed elsewhere than on the victim': failedElsewhere(records, deaths).length },
    };
  },
};
