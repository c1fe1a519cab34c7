import { atMost } from '../../../src/testing/chaos/trial.ts';
import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Trial } from '../trial.ts';

/** The default. */
const TTL_MS = 12_000;
const LIFE_MIN_MS = 1000;
const LIFE_SPREAD_MS = 2000;
const SERVING_MAX_MS = 30_000;

export const failoverKilled: Trial = {
  name: 'failover-killed',
  fault: 'of two systems the one that leads is killed under load, and its data is gone',
  size: { unit: 'times', full: 20, short: 1 },
  victims: undefined,
  limits: [...OF_TWO, atMost(SERVING_MAX_MS, 'ms', 'worst recovery')],
  run: (stage, times) =>
    onPair(stage, { ttlMs: TTL_MS, hasPeers: true }, async ({ pair, promises, recoveryMs }) => {
      for (let turn = 0; turn < times; turn += 1) {
        stage.progress(`${turn} of ${times}`);
        await stage.sleep(LIFE_MIN_MS + stage.random.below(LIFE_SPREAD_MS));
        const leader = await pair.leader();
        const next = pair.other(leader);
        const killedMs = performance.now();
        await leader.kill(true);
        await pair.serves(next);
        recoveryMs.push(performance.now() - killedMs);
        promises.judge(next);
        leader.start();
        await leader.answers();
      }
      return { injected: times };
    }),
};
