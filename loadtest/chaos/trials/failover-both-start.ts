import { atMost } from '../../../src/testing/chaos/trial.ts';
import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Trial } from '../trial.ts';

const TTL_MS = 3000;
const LIFE_MS = 300;
const BOTH = 'starts of which both led';

export const failoverBothStart: Trial = {
  name: 'failover-both-start',
  fault: 'two systems are killed, and started at once: with their data, one without it, or both',
  size: { unit: 'times', full: 200, short: 3 },
  victims: undefined,
  limits: [...OF_TWO, atMost(0, 'times', BOTH)],
  run: (stage, times) =>
    onPair(stage, { ttlMs: TTL_MS, hasPeers: true }, async ({ pair, promises, recoveryMs }) => {
      let both = 0;
      for (let turn = 0; turn < times; turn += 1) {
        stage.progress(`${turn} of ${times}`);
        await stage.sleep(LIFE_MS);
        // The turns go through all four combinations of lost disks.
        await Promise.all(pair.members.map((member, index) => member.kill(((turn >> index) & 1) === 1)));
        const startMs = performance.now();
        for (const member of pair.members) member.start();
        const leader = await pair.leader();
        recoveryMs.push(performance.now() - startMs);
        await pair.other(leader).answers();
        const ready = await Promise.all(pair.members.map((member) => member.isReady()));
        if (ready.every(Boolean)) both += 1;
        promises.judge(leader);
      }
      return { injected: times, figures: { [BOTH]: both } };
    }),
};
