import { epochFolder } from '../../../src/replication/failover/epoch.ts';
import { atLeast } from '../../../src/testing/chaos/trial.ts';
import type { Member } from '../failover/member.ts';
import type { Pair } from '../failover/pair.ts';
import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Trial } from '../trial.ts';

const TTL_MS = 6000;
const LIFE_MIN_MS = 1000;
const LIFE_SPREAD_MS = 2000;
const TAKEN_TIMEOUT_MS = 60_000;
const BEFORE = 'killed before its folder counted';

/** When the next leader is killed: it has the record, and lives until this condition holds. */
const MOMENTS: Readonly<
  Record<string, (pair: Pair, next: Member, epoch: number) => boolean | Promise<boolean>>
> = {
  'as it restores': () => true,
  'as it uploads its first snapshot': (pair, _next, epoch) => pair.hasFolder(epoch),
  'as it begins to serve': (_pair, next) => next.isReady(),
};

export const failoverNextLost: Trial = {
  name: 'failover-next-lost',
  fault:
    'of two systems the one that leads is killed with its data, and the next one as it restores, uploads its first snapshot, or begins to serve',
  size: { unit: 'times', full: 18, short: 3 },
  victims: undefined,
  limits: [...OF_TWO, atLeast(1, 'times', BEFORE)],
  run: (stage, times) =>
    onPair(stage, { ttlMs: TTL_MS, hasPeers: true }, async ({ pair, promises, recoveryMs }) => {
      const { random } = stage;
      const names = Object.keys(MOMENTS);
      let before = 0;
      for (let turn = 0; turn < times; turn += 1) {
        const name = names[turn % names.length] as string;
        stage.progress(`${turn} of ${times}: ${name}`);
        await stage.sleep(LIFE_MIN_MS + random.below(LIFE_SPREAD_MS));
        const leader = await pair.heal();
        const next = pair.other(leader);
        const { epoch } = pair.record;
        await leader.kill(true);
        await stage.until(() => pair.record.epoch > epoch, `${next.name} has the record`, TAKEN_TIMEOUT_MS);
        const own = pair.record.epoch;
        await stage.until(
          async () => (await MOMENTS[name]?.(pair, next, own)) === true,
          name,
          TAKEN_TIMEOUT_MS,
        );
        await next.kill(random.below(2) === 0);
        if (pair.record.data !== epochFolder(own)) before += 1;
        const lostMs = performance.now();
        promises.judge(await pair.heal());
        recoveryMs.push(performance.now() - lostMs);
      }
      return { injected: times, figures: { [BEFORE]: before } };
    }),
};
