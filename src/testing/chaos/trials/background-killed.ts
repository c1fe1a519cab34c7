import { childNames, type Death, killChildren, recoveryMs } from '../faults.ts';
import { atMost, type Trial } from '../trial.ts';

export const backgroundKilled: Trial = {
  name: 'background-killed',
  fault: 'SIGKILL each process that neither serves nor writes',
  size: { unit: 'times', full: 20, short: 2 },
  victims: /^(?!worker-|writer$|litestream$)/,
  limits: [atMost(0, 'requests', 'failed')],
  async run(stage, times) {
    await stage.start();
    await stage.startLoad();
    const deaths: Death[] = [];
    for (let round = 0; round < times; round += 1) {
      stage.progress(`${round} of ${times}`);
      deaths.push(...(await killChildren(stage, childNames(stage).filter(isInBackground))));
      // Longer than a child must live to be started again without a back-off.
      await stage.sleep(800);
    }
    return { injected: deaths.length, recoveryMs: recoveryMs(deaths) };
  },
};

function isInBackground(name: string): boolean {
  return !/^(worker-|writer$|litestream$)/.test(name);
}
