import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import { ClockFile } from '../failover/clock-file.ts';
import { OF_TWO, UNWARNED_LOST } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Trial } from '../trial.ts';

const SHIFTED_CLOCK = fileURLToPath(new URL('../shifted-clock.js', import.meta.url));
const HOUR_MS = 3_600_000;
const OFFSETS_MS = [-HOUR_MS, 0, HOUR_MS] as const;
const TTL_MS = 6000;
const LIFE_MS = 2000;
const SERVING_MAX_MS = 30_000;

export const failoverClocks: Trial = {
  name: 'failover-clocks',
  fault:
    'of two systems each has a clock that jumps an hour forwards or back; the one that leads is killed, half of the times with its data',
  size: { unit: 'times', full: 20, short: 2 },
  victims: undefined,
  limits: [
    // This figure compares times of the system's clock with those of the clients'.
    ...OF_TWO.filter(({ figure }) => figure !== UNWARNED_LOST),
    atMost(SERVING_MAX_MS, 'ms', 'worst recovery'),
  ],
  run(stage, times) {
    const clocks = { a: clockOf(stage.folder, 'a'), b: clockOf(stage.folder, 'b') };
    const envOf = (name: 'a' | 'b') => ({
      NODE_OPTIONS: `--import ${SHIFTED_CLOCK}`,
      CHAOS_CLOCK_OFFSET_FILE: clocks[name].path,
    });
    return onPair(stage, { ttlMs: TTL_MS, hasPeers: true, envOf }, async ({ pair, promises, recoveryMs }) => {
      const { random } = stage;
      for (let turn = 0; turn < times; turn += 1) {
        stage.progress(`${turn} of ${times}`);
        for (const clock of Object.values(clocks)) clock.set(random.pick(OFFSETS_MS));
        await stage.sleep(LIFE_MS);
        const leader = await pair.heal();
        const next = pair.other(leader);
        const killedMs = performance.now();
        await leader.kill(turn % 2 === 0);
        await pair.serves(next);
        recoveryMs.push(performance.now() - killedMs);
        promises.judge(next);
      }
      return { injected: times };
    });
  },
};

function clockOf(folder: string, name: string): ClockFile {
  return new ClockFile(join(folder, `clock-offset-ms-${name}`));
}
