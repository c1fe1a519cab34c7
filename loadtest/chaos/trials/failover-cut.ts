import { atMost } from '../../../src/testing/chaos/trial.ts';
import type { Weather } from '../../support/store-proxy.ts';
import type { Member } from '../failover/member.ts';
import type { Pair } from '../failover/pair.ts';
import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Trial } from '../trial.ts';

const TTL_MS = 3000;
const LIFE_MIN_MS = 1000;
const CUT_MS = 3 * TTL_MS;
const DEAF_MS = 1000;
const STORMS: readonly Weather[] = ['refuse', 'hang', 'unavailable'];

interface Cut {
  readonly name: string;
  /** Whether the other system must take over, or nobody; undefined where either is right. */
  readonly isTakenOver: boolean | undefined;
  readonly perform: (
    pair: Pair,
    leader: Member,
    weather: Weather,
    sleep: (ms: number) => Promise<void>,
  ) => Promise<void>;
}

/** What is cut off, and who leads then. */
const CUTS: readonly Cut[] = [
  {
    name: 'the leader from the store',
    isTakenOver: false,
    perform: async (_pair, leader, weather, sleep) => {
      await leader.way.become(weather);
      await sleep(CUT_MS);
    },
  },
  {
    name: 'the leader from the store and its peer',
    isTakenOver: true,
    perform: async (pair, leader, weather) => {
      await Promise.all([leader.way.become(weather), leader.peerWay.become('refuse')]);
      await pair.serves(pair.other(leader));
    },
  },
  {
    name: 'both from the store',
    isTakenOver: false,
    perform: async ({ members }, _leader, weather, sleep) => {
      await Promise.all(members.map(({ way }) => way.become(weather)));
      await sleep(CUT_MS);
    },
  },
  {
    name: 'the standby from the store',
    isTakenOver: false,
    perform: async (pair, leader, weather, sleep) => {
      await pair.other(leader).way.become(weather);
      await sleep(CUT_MS);
    },
  },
  {
    name: 'the answers to what the leader writes to the record',
    isTakenOver: false,
    perform: async (_pair, leader, _weather, sleep) => {
      await leader.way.become('deaf');
      await sleep(CUT_MS);
    },
  },
  {
    name: 'the answers to what the next leader writes to the record, while it takes over',
    isTakenOver: undefined,
    perform: async (pair, leader, _weather, sleep) => {
      const next = pair.other(leader);
      await next.way.become('deaf');
      await leader.kill(false);
      await sleep(TTL_MS + DEAF_MS);
      await next.way.become('open');
      await pair.leader();
    },
  },
];
const WRONG_TURNS = 'changes of the leader that had to be, or not to be';

export const failoverCut: Trial = {
  name: 'failover-cut',
  fault:
    'of two systems the leader, or both, are cut from the store or from each other; answers to conditional writes are lost',
  size: { unit: 'times', full: 4 * CUTS.length, short: CUTS.length },
  victims: /^litestream$/,
  limits: [...OF_TWO, atMost(0, 'times', WRONG_TURNS)],
  run: (stage, times) =>
    onPair(stage, { ttlMs: TTL_MS, hasPeers: true }, async ({ pair, promises }) => {
      const notes: string[] = [];
      for (let turn = 0; turn < times; turn += 1) {
        const cut = CUTS[turn % CUTS.length] as Cut;
        const weather = stage.random.pick(STORMS);
        stage.progress(`${turn} of ${times}: ${cut.name} (${weather})`);
        const leader = await pair.heal();
        await stage.sleep(LIFE_MIN_MS);
        const { epoch } = pair.record;
        await cut.perform(pair, leader, weather, (ms) => stage.sleep(ms));
        promises.judge(await pair.heal());
        const isTakenOver = pair.record.epoch !== epoch;
        if ((cut.isTakenOver ?? isTakenOver) !== isTakenOver)
          notes.push(`${cut.name} (${weather}): ${isTakenOver ? 'the other one led' : 'nobody took over'}`);
      }
      return { injected: times, figures: { [WRONG_TURNS]: notes.length }, notes };
    }),
};
