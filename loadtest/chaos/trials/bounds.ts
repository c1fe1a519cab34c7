import { statSync } from 'node:fs';
import { join } from 'node:path';
import { freeDiskBytes } from '../../../src/platform/free-disk.ts';
import { openReader } from '../../../src/sqlite/open.ts';
import { differingRows, restoreFromStore } from '../../../src/testing/chaos/restore.ts';
import { atLeast, atMost } from '../../../src/testing/chaos/trial.ts';
import { request } from '../../../src/testing/request.ts';
import { s3Environment, startS3Server } from '../../../src/testing/s3-server.ts';
import { StoreProxy } from '../../support/store-proxy.ts';
import { checkHistory } from '../history/check.ts';
import { fill, mountDisk, obstacleToDisks } from '../small-disk.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const MB_BYTES = 1024 * 1024;
const DISK_MIB = 512;
const LEFT_MB = 50;
const RESERVE_MB = 16;
const PREFIX = 'bounds';
const LOOK_INTERVAL_MS = 100;
/** A reader is reported after half a minute. */
const READER_TOLD_S = 40;
const BACK_MAX_MS = 60_000;

/** The reasons in `degraded`, by name. */
type Degraded = ReadonlyMap<string, string>;

/** Which causes the system has reported, and whether it did so before it refused writes. */
interface Told {
  isReader: boolean;
  isStore: boolean;
  isNearReserve: boolean;
  isRefusing: boolean;
  refusedUntold: number;
  looks: number;
  notReady: number;
}

export const bounds: Trial = {
  name: 'bounds',
  fault: `a foreign reader stays, the store is out of reach, and ${LEFT_MB} MB of disk are left, all at once`,
  size: { unit: 'seconds', full: 120, short: 20 },
  victims: /^litestream$/,
  obstacle: obstacleToDisks,
  limits: [
    atMost(0, 'times', 'refused before it was shown'),
    atMost(0, 'causes', 'causes never shown'),
    atMost(0, 'looks', 'not ready'),
    atMost(0, 'requests', 'failed, the 507 apart'),
    atMost(0, 'things', 'not back in time'),
    atMost(BACK_MAX_MS, 'ms', 'worst recovery'),
    atLeast(RESERVE_MB - 3, 'MB', 'least disk that was free'),
    atMost(0, 'writes', 'acknowledged, not in the restored replica'),
    atMost(0, 'rows', 'rows that differ in the restored replica'),
  ],
  async run(stage, seconds) {
    mountDisk(stage, DISK_MIB);
    const store = await startS3Server();
    stage.defer(() => store.destroy());
    const proxy = await StoreProxy.start(store.endpoint);
    stage.defer(() => proxy.close());
    await stage.start({
      ...s3Environment({ ...store, endpoint: proxy.endpoint }, PREFIX),
      DISK_RESERVE_MB: String(RESERVE_MB),
      DRILL_INTERVAL_MS: '0',
      OVERLOAD_LAG_MS: '0',
    });
    const load = await stage.startLoad({ requestsPerSecond: 200 });
    fill(join(stage.dataDir, 'ballast'), LEFT_MB * MB_BYTES);
    const reader = openReader(join(stage.dataDir, 'main.db'));
    stage.defer(() => {
      reader.close();
    });
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM alerts').get();
    await proxy.become('refuse');

    const told: Told = {
      isReader: false,
      isStore: false,
      isNearReserve: false,
      isRefusing: false,
      refusedUntold: 0,
      looks: 0,
      notReady: 0,
    };
    let freeMinMb = LEFT_MB;
    const startMs = performance.now();
    while (performance.now() - startMs < seconds * 1000) {
      stage.progress(`${Math.round((performance.now() - startMs) / 1000)} of ${seconds} s`);
      note(told, await degradedOf(stage), load.counts.storageFull);
      freeMinMb = Math.min(freeMinMb, freeMb(stage));
      await stage.sleep(LOOK_INTERVAL_MS);
    }
    const walMb = statSync(join(stage.dataDir, 'main.db-wal')).size / MB_BYTES;

    stage.progress('the causes end');
    reader.exec('COMMIT');
    await proxy.become('open');
    const endMs = performance.now();
    let notBack = 0;
    await stage
      .until(
        async () => {
          const degraded = await degradedOf(stage);
          return (
            degraded !== undefined && !['wal', 'storage', 'replication'].some((name) => degraded.has(name))
          );
        },
        'nothing is out of order',
        BACK_MAX_MS,
      )
      .catch(() => {
        notBack += 1;
      });
    const { acknowledged } = load.counts;
    await stage
      .until(() => load.counts.acknowledged > acknowledged + 20, 'writes go on', BACK_MAX_MS)
      .catch(() => {
        notBack += 1;
      });
    const backMs = performance.now() - endMs;
    const records = await stage.stopLoad();
    await stage.stopSystem();

    stage.progress('restoring by the stock binary');
    const names = ['main', 'media'];
    const restored = await restoreFromStore(stage, store, PREFIX, names);
    const found = checkHistory(join(restored, 'main.db'), records);
    const differing = names.map((name) =>
      differingRows(join(stage.dataDir, `${name}.db`), join(restored, `${name}.db`)),
    );
    const causes = [told.isStore, told.isNearReserve, told.isReader || seconds < READER_TOLD_S];
    return {
      injected: 1,
      recoveryMs: [backMs],
      figures: {
        'refused before it was shown': told.refusedUntold,
        'causes never shown': causes.filter((isTold) => !isTold).length,
        'not ready': told.notReady,
        'failed, the 507 apart': records.filter(({ failure, status }) => failure && status !== 507).length,
        'not back in time': notBack,
        'least disk that was free': freeMinMb,
        'acknowledged, not in the restored replica': found.lost.length,
        'rows that differ in the restored replica': differing.reduce((sum, rows) => sum + rows, 0),
      },
      notes: [
        `the WAL grew to ${walMb.toFixed(1)} MB, ${records.filter(({ status }) => status === 507).length} requests were told 507, at least ${freeMinMb.toFixed(1)} MB of disk stayed free with DISK_RESERVE_MB=${RESERVE_MB}`,
      ],
    };
  },
};

function note(told: Told, degraded: Degraded | undefined, refused: number): void {
  told.looks += 1;
  if (!degraded) {
    told.notReady += 1;
    return;
  }
  const storage = degraded.get('storage') ?? '';
  if (degraded.has('wal')) told.isReader = true;
  if (degraded.has('replication')) told.isStore = true;
  if (/writes are refused below/.test(storage)) told.isNearReserve = true;
  if (refused > 0 && !told.isRefusing) {
    told.isRefusing = true;
    told.refusedUntold = told.isNearReserve ? 0 : 1;
  }
}

/** @returns undefined when the system is not ready */
async function degradedOf(stage: Stage): Promise<Degraded | undefined> {
  const { status, text } = await request(`${stage.system.url}/ready?verbose`, 'GET');
  if (status !== 200) return undefined;
  const { degraded }: { degraded: readonly { name: string; reason: string }[] } = JSON.parse(text);
  return new Map(degraded.map(({ name, reason }) => [name, reason]));
}

function freeMb(stage: Stage): number {
  return freeDiskBytes(stage.dataDir) / MB_BYTES;
}
