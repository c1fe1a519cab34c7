import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClockFile } from '../failover/clock-file.ts';
import { BESIDE, OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Trial } from '../trial.ts';

const STANDING_CLOCK = fileURLToPath(new URL('../standing-clock.js', import.meta.url));
const TTL_MS = 3000;
const LIFE_MIN_MS = 1000;
const LIFE_SPREAD_MS = 2000;
const PAUSES_MS = [1000, 2500, 4000, 8000, 15_000] as const;
/** The pause of the short form: long enough for the other system to take over. */
const SHORT_PAUSES_MS = [15_000] as const;
const FEW = 3;

export const failoverStill: Trial = {
  name: 'failover-still',
  fault: 'of two systems the one that leads is paused, its clock stands still meanwhile, and it wakes',
  size: { unit: 'times', full: 20, short: 1 },
  victims: /./,
  // By its clock its lease still holds, so it commits locally until its next look. Replicated writes are not concerned.
  limits: OF_TWO.filter(({ figure }) => figure !== BESIDE),
  run(stage, times) {
    const clocks = { a: clockOf(stage.folder, 'a'), b: clockOf(stage.folder, 'b') };
    const behindMs = { a: 0, b: 0 };
    const envOf = (name: 'a' | 'b') => ({
      NODE_OPTIONS: `--import ${STANDING_CLOCK}`,
      CHAOS_CLOCK_BEHIND_FILE: clocks[name].path,
    });
    return onPair(stage, { ttlMs: TTL_MS, hasPeers: true, envOf }, async ({ pair, promises }) => {
      const { random } = stage;
      for (let turn = 0; turn < times; turn += 1) {
        const pauseMs = random.pick(times < FEW ? SHORT_PAUSES_MS : PAUSES_MS);
        stage.progress(`${turn} of ${times}: ${pauseMs} ms`);
        await stage.sleep(LIFE_MIN_MS + random.below(LIFE_SPREAD_MS));
        const leader = await pair.heal();
        const name = leader.name as 'a' | 'b';
        const pausedMs = performance.now();
        leader.pause();
        await stage.sleep(pauseMs);
        behindMs[name] += performance.now() - pausedMs;
        clocks[name].set(behindMs[name]);
        leader.resume();
        await stage.sleep(TTL_MS);
        promises.judge(await pair.heal());
      }
      const fenced = pair.members.reduce((sum, member) => sum + member.fenced, 0);
      return { injected: times, notes: [`one was fenced ${fenced} times`] };
    });
  },
};

function clockOf(folder: string, name: string): ClockFile {
  return new ClockFile(join(folder, `clock-behind-ms-${name}`));
}
