import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemSnapshot } from '../../../src/messages/snapshot.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import { runCommand } from '../failover/command.ts';
import type { Member } from '../failover/member.ts';
import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import { fill, obstacleToDisks, smallDisk } from '../small-disk.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const DISK_MIB = 512;
const TTL_MS = 6000;
const LOOK_TIMEOUT_MS = 60_000;
/** How long the leader stays dead. */
const GONE_MS = 3 * TTL_MS;
const TAKEN = 'takeovers with a full disk';

export const failoverDiskFull: Trial = {
  name: 'failover-disk-full',
  fault: `of two systems the disk of the standby (tmpfs, ${DISK_MIB} MiB) is full when the leader is killed, and is freed`,
  size: { unit: 'times', full: 5, short: 1 },
  victims: undefined,
  obstacle: obstacleToDisks,
  limits: [...OF_TWO, atMost(0, 'times', TAKEN)],
  async run(stage, times) {
    const folder = smallDisk(stage, DISK_MIB);
    const ballast = join(folder, 'ballast');
    return onPair(
      stage,
      {
        ttlMs: TTL_MS,
        hasPeers: true,
        env: { DISK_RESERVE_MB: '64' },
        dataDirOf: (name) => (name === 'b' ? join(folder, 'data') : undefined),
      },
      async ({ pair, promises, recoveryMs }) => {
        const [leader, standby] = pair.members;
        let taken = 0;
        for (let turn = 0; turn < times; turn += 1) {
          stage.progress(`${turn} of ${times}`);
          if ((await pair.heal()) !== leader) {
            await standby.stop();
            await pair.serves(leader);
            standby.start();
          }
          // A drill tells it how much room it needs.
          await stage.until(
            async () => (await runCommand(stage, standby, ['verify'])).code === 0,
            'it is proven',
            LOOK_TIMEOUT_MS,
          );
          fill(ballast);
          await stage.until(
            () => {
              fill(ballast);
              return hasNoRoom(stage, standby);
            },
            'it says that it has no room',
            LOOK_TIMEOUT_MS,
          );
          const { epoch } = pair.record;
          await leader.kill(false);
          await stage.sleep(GONE_MS);
          if (pair.record.epoch !== epoch) taken += 1;
          const freedMs = performance.now();
          rmSync(ballast);
          await pair.serves(standby);
          recoveryMs.push(performance.now() - freedMs);
          promises.judge(standby);
        }
        return { injected: times, figures: { [TAKEN]: taken } };
      },
    );
  },
};

/** @returns whether it says that it would not take over, for lack of room */
async function hasNoRoom(stage: Stage, member: Member): Promise<boolean> {
  const { stdout } = await runCommand(stage, member, ['status', '--json']);
  const { failover } = JSON.parse(stdout) as SystemSnapshot;
  return failover?.heldBackBecause?.includes('of disk are free') === true;
}
