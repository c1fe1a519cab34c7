import type { Random } from '../../../src/testing/chaos/random.ts';
import { killQuietly } from '../../../src/testing/running-system.ts';
import type { Weather } from '../../support/store-proxy.ts';
import { runCommand } from '../failover/command.ts';
import type { Member } from '../failover/member.ts';
import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const TTL_MS = 3000;
const STEPS_MAX = 5;
const PAUSE_SPREAD_MS = 2 * TTL_MS;
const STORMS: readonly Weather[] = ['refuse', 'hang', 'unavailable', 'slow', 'cut', 'deaf', 'open'];
const CHILDREN = ['contender', 'writer', 'litestream', 'worker-1', 'standby'] as const;

type Step = (member: Member, random: Random, stage: Stage) => Promise<unknown> | undefined;
/** What can happen to one system. */
const STEPS: Readonly<Record<string, Step>> = {
  'loses its process': (member) => (member.isUp ? member.kill(false) : undefined),
  'loses its disk': (member) => (member.isUp ? member.kill(true) : undefined),
  'is stopped': (member) => (member.isUp && !member.isPaused ? member.stop() : undefined),
  // A handover may wait for ever, so the wait is limited.
  'hands over': (member, random, stage) =>
    member.isUp && !member.isPaused
      ? Promise.race([runCommand(stage, member, ['handover']), stage.sleep(random.below(PAUSE_SPREAD_MS))])
      : undefined,
  'is started': async (member) => {
    if (!member.isUp) member.start();
  },
  'is paused': async (member) => {
    if (member.isUp) member.pause();
  },
  wakes: async (member) => member.resume(),
  'has another way to the store': (member, random) => member.way.become(random.pick(STORMS)),
  'has another way to its peer': (member, random) => member.peerWay.become(random.pick(['open', 'refuse'])),
  'loses a child': async (member, random) => {
    const pid = member.isUp ? member.system.pidOf(random.pick(CHILDREN)) : Number.NaN;
    if (pid > 1) killQuietly(pid, 'SIGKILL');
  },
};

export const failoverRandom: Trial = {
  name: 'failover-random',
  fault:
    'two systems are killed, stopped, paused, handed over, cut from the store and from each other, as a seed has it',
  size: { unit: 'times', full: 200, short: 4 },
  victims: /./,
  limits: OF_TWO,
  run: (stage, times) =>
    onPair(stage, { ttlMs: TTL_MS, hasPeers: true }, async ({ pair, promises, recoveryMs }) => {
      const { random } = stage;
      const notes: string[] = [];
      for (let turn = 0; turn < times; turn += 1) {
        const steps: string[] = [];
        for (let left = 1 + random.below(STEPS_MAX); left > 0; left -= 1) {
          const member = random.pick(pair.members);
          const what = random.pick(Object.keys(STEPS));
          steps.push(`${member.name} ${what}`);
          stage.progress(`${turn} of ${times}: ${steps.join(', ')}`);
          await STEPS[what]?.(member, random, stage);
          await stage.sleep(random.below(PAUSE_SPREAD_MS));
        }
        const healedMs = performance.now();
        const leader = await pair.heal().catch((error: Error) => {
          throw new Error(`${error.message} after: ${steps.join(', ')}`);
        });
        recoveryMs.push(performance.now() - healedMs);
        promises.judge(leader);
      }
      return { injected: times, notes };
    }),
};
