import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { atLeast, atMost } from '../../../src/testing/chaos/trial.ts';
import { request } from '../../../src/testing/request.ts';
import { alertFor } from '../clients/record.ts';
import { fill, mountDisk, obstacleToDisks } from '../small-disk.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const DISK_MIB = 512;
const FULL_TIMEOUT_MS = 30_000;
const RESUME_TIMEOUT_MS = 30_000;

/** The disk fills up, once with the writer's reserve and once without. */
export const diskFull: readonly Trial[] = [
  trialOf('disk-full', 'fills up to the last byte, and is freed', {}),
  trialOf('disk-full-unguarded', 'does so with no reserve kept', { DISK_RESERVE_MB: '0' }),
];

function trialOf(name: string, what: string, env: NodeJS.ProcessEnv): Trial {
  return {
    name,
    fault: `DATA_DIR's disk (tmpfs, ${DISK_MIB} MiB) ${what}`,
    size: { unit: 'times', full: 3, short: 1 },
    victims: undefined,
    obstacle: obstacleToDisks,
    limits: [
      atLeast(1, 'writes', 'answered with 507'),
      atMost(0, 'answers', 'without a clear problem'),
      atMost(0, 'reads', 'reads that failed'),
      atMost(0, 'writes', 'that failed otherwise'),
      atMost(0, 'times', 'writes did not resume'),
      atMost(5000, 'ms', 'worst recovery'),
    ],
    async run(stage, times) {
      mountDisk(stage, DISK_MIB);
      // The replica is on another disk, as it should be.
      await stage.start({ ...env, REPLICA_URL: `file:${join(stage.folder, 'replica')}` });
      const load = await stage.startLoad({ requestsPerSecond: 200 });
      const recoveryMs: number[] = [];
      const unclear: string[] = [];
      let notResumed = 0;
      for (let turn = 0; turn < times; turn += 1) {
        stage.progress(`${turn} of ${times}: filling`);
        const ballast = join(stage.dataDir, 'ballast');
        const before = load.counts.storageFull;
        fill(ballast);
        await stage.until(
          () => {
            // Fill the space that a checkpoint or a rotation has freed meanwhile.
            fill(ballast);
            return load.counts.storageFull > before + 20;
          },
          'writes are answered with 507',
          FULL_TIMEOUT_MS,
        );
        stage.progress(`${turn} of ${times}: full`);
        await stage.sleep(2000);
        fill(ballast);
        unclear.push(...(await unclearAnswer(stage, turn)));
        rmSync(ballast);
        const freedMs = performance.now();
        const acknowledged = load.counts.acknowledged;
        await stage
          .until(() => load.counts.acknowledged > acknowledged + 20, 'writes resume', RESUME_TIMEOUT_MS)
          .catch(() => {
            notResumed += 1;
          });
        recoveryMs.push(performance.now() - freedMs);
        await stage.sleep(1000);
      }
      const records = await stage.stopLoad();
      const failed = records.filter(({ failure }) => failure !== undefined);
      return {
        injected: times,
        recoveryMs,
        figures: {
          'answered with 507': records.filter(({ status }) => status === 507).length,
          'without a clear problem': unclear.length,
          'reads that failed': failed.filter(({ kind }) => kind === 'read').length,
          'that failed otherwise': failed.filter(({ kind, status }) => kind === 'write' && status !== 507)
            .length,
          'writes did not resume': notResumed,
        },
        notes: ['failed are the writes that were answered with 507', ...unclear],
      };
    },
  };
}

/** @returns the answer to a write, unless it is an error that names the cause */
async function unclearAnswer(stage: Stage, turn: number): Promise<string[]> {
  const body = JSON.stringify(alertFor(`probe-${turn}`));
  const { status, text, detail } = await request(`${stage.system.url}/alert`, 'POST', body);
  const isClear = status === 507 && /"code":"storage_\w+"/.test(text) && /disk/i.test(text);
  return isClear ? [] : [`a write to the full disk was answered with ${status ?? detail} ${text}`];
}
