import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Trial } from '../trial.ts';

const TTL_MS = 3000;
const LIFE_MIN_MS = 1000;
const LIFE_SPREAD_MS = 2000;
const PAUSES_MS = [1000, 2000, 2500, 3000, 4000, 6000, 10_000, 20_000, 60_000] as const;
/** The pause of the short form: long enough to be fenced. */
const SHORT_PAUSES_MS = [10_000] as const;
const FEW = 3;

export const failoverPaused: Trial = {
  name: 'failover-paused',
  fault: 'of two systems all processes of the one that leads are stopped for 1 to 60 s, and wake',
  size: { unit: 'times', full: 20, short: 1 },
  // A primary that wakes before it is fenced replaces the children that hung for so long.
  victims: /./,
  limits: OF_TWO,
  run: (stage, times) =>
    onPair(stage, { ttlMs: TTL_MS, hasPeers: true }, async ({ pair, promises, recoveryMs }) => {
      for (let turn = 0; turn < times; turn += 1) {
        await stage.sleep(LIFE_MIN_MS + stage.random.below(LIFE_SPREAD_MS));
        const leader = await pair.leader();
        const pauseMs = stage.random.pick(times < FEW ? SHORT_PAUSES_MS : PAUSES_MS);
        stage.progress(`${turn} of ${times}: ${pauseMs} ms`);
        const { epoch } = pair.record;
        const pausedMs = performance.now();
        leader.pause();
        const served = pair.serves(pair.other(leader)).then(
          () => performance.now() - pausedMs,
          () => undefined,
        );
        await stage.sleep(pauseMs);
        leader.resume();
        await pair.heal();
        // The former leader may not know yet that it lost the lead. If it still leads, there was no takeover to time:
        // the other system serves later, if ever, and for another reason.
        const servedMs = pair.record.epoch === epoch ? undefined : await served;
        if (servedMs !== undefined) recoveryMs.push(servedMs);
        promises.judge(await pair.heal());
      }
      const fenced = pair.members.reduce((sum, member) => sum + member.fenced, 0);
      return { injected: times, notes: [`one was fenced ${fenced} times`] };
    }),
};
