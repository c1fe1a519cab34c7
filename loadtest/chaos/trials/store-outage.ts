import { join } from 'node:path';
import { differingRows, restoreFromStore } from '../../../src/testing/chaos/restore.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import { request } from '../../../src/testing/request.ts';
import { s3Environment, startS3Server } from '../../../src/testing/s3-server.ts';
import { STORMS, StoreProxy, type Weather } from '../../support/store-proxy.ts';
import { alertFor } from '../clients/record.ts';
import { checkHistory } from '../history/check.ts';
import { ReplicationWatch, type Shown } from '../replication-watch.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const MB = 1024 * 1024;
const DATABASES = ['main', 'media'];
const PREFIX = 'store-outage';
/** Small enough to be reached in ten minutes. */
const BACKLOG_MAX_MB = 192;
/** Disk use beside the backlog: the WAL, a segment that is being shipped, the copy of a snapshot. */
const BESIDE_BACKLOG_MB = 96;
const STOP_TIMEOUT_MS = 5000;
const SHOWN_TIMEOUT_MS = 10_000;
const CATCH_UP_TIMEOUT_MS = 180_000;
/** A shorter trial has one storm of each kind: uploads get an error, break off, or get no answer. */
const SHORT_S = 60;
const SHORT_STORMS = { loaded: ['unavailable', 'cut'], idle: ['hang'] } as const;
const ALL_STORMS = { loaded: STORMS, idle: ['refuse', 'hang', 'unavailable'] } as const;
/** In this weather nothing gets through, and the system must show it. */
const DEAD: ReadonlySet<Weather> = new Set(['refuse', 'hang', 'unavailable', 'cut']);

interface Storms {
  readonly proxy: StoreProxy;
  readonly watch: ReplicationWatch;
  readonly shownMs: number[];
  /** From the end of an outage to the first upload that reaches the store. */
  readonly catchUpMs: number[];
  /** From the end of an outage to the first confirmed commit, which needs that whole upload. */
  readonly confirmedMs: number[];
  notShown: number;
  notCaughtUp: number;
}

export const storeOutage: Trial = {
  name: 'store-outage',
  fault: `the replica's store refuses, hangs, answers 503, is slow, cuts uploads; SIGTERM meanwhile`,
  size: { unit: 'seconds', full: 600, short: 6 },
  victims: /^litestream$/,
  limits: [
    atMost(0, 'requests', 'failed, the 507 apart'),
    atMost(SHOWN_TIMEOUT_MS, 'ms', 'until an outage was shown'),
    atMost(0, 'outages', 'outages never shown'),
    atMost(2000, 'ms', 'until catching up began'),
    atMost(0, 'outages', 'never caught up after'),
    atMost(0, 'looks', 'wrong states shown'),
    atMost(BACKLOG_MAX_MB + BESIDE_BACKLOG_MB, 'MB', 'disk that the backlog took'),
    atMost(STOP_TIMEOUT_MS + 2000, 'ms', 'SIGTERM in an outage to the exit'),
    atMost(0, 'writes', 'acknowledged, not in the restored replica'),
    atMost(0, 'rows', 'rows that differ in the restored replica'),
  ],
  async run(stage, seconds) {
    const { loaded, idle } = seconds < SHORT_S ? SHORT_STORMS : ALL_STORMS;
    const store = await startS3Server();
    stage.defer(() => store.destroy());
    const proxy = await StoreProxy.start(store.endpoint);
    stage.defer(() => proxy.close());
    const env = {
      ...s3Environment({ ...store, endpoint: proxy.endpoint }, PREFIX),
      REPLICA_BACKLOG_MAX_MB: String(BACKLOG_MAX_MB),
      REPLICA_STOP_TIMEOUT_MS: String(STOP_TIMEOUT_MS),
      DRILL_INTERVAL_MS: '0',
      // Refusals of an overloaded machine are the subject of another trial.
      OVERLOAD_LAG_MS: '0',
    };
    await stage.start(env);
    const judge = new StateJudge(proxy);
    const watch = new ReplicationWatch(
      () => stage.system.url,
      stage.dataDir,
      (shown) => judge.look(shown),
    );
    stage.defer(() => watch.stop());
    const storms: Storms = {
      proxy,
      watch,
      shownMs: [],
      catchUpMs: [],
      confirmedMs: [],
      notShown: 0,
      notCaughtUp: 0,
    };

    await stage.startLoad({ requestsPerSecond: 200 });
    for (const weather of loaded) await storm(stage, storms, weather, (seconds * 1000) / loaded.length);
    const records = await stage.stopLoad();
    for (const weather of idle) {
      await write(stage, `idle-${weather}`);
      await storm(stage, storms, weather, 0);
    }
    stage.progress('SIGTERM in an outage');
    await proxy.become('hang');
    await write(stage, 'last');
    const { tookMs, code } = await stage.stopSystem();
    if (code !== 0) throw new Error(`SIGTERM in an outage: exit code ${code}`);
    await proxy.become('open');
    await stage.start(env);
    await caughtUp(stage, storms);
    watch.stop();

    stage.progress('restoring by the stock binary');
    await stage.stopSystem();
    const restored = await restoreFromStore(stage, store, PREFIX, DATABASES);
    const found = checkHistory(join(restored, 'main.db'), records);
    const differing = DATABASES.map((name) =>
      differingRows(join(stage.dataDir, `${name}.db`), join(restored, `${name}.db`)),
    );
    const full = records.filter(({ status }) => status === 507).length;
    return {
      injected: loaded.length + idle.length + 1,
      recoveryMs: storms.confirmedMs,
      figures: {
        'failed, the 507 apart': records.filter(({ failure, status }) => failure && status !== 507).length,
        'until an outage was shown': Math.max(...storms.shownMs),
        'outages never shown': storms.notShown,
        'until catching up began': Math.max(...storms.catchUpMs),
        'never caught up after': storms.notCaughtUp,
        'wrong states shown': judge.wrong,
        'disk that the backlog took': watch.diskMaxBytes / MB,
        'SIGTERM in an outage to the exit': tookMs,
        'acknowledged, not in the restored replica': found.lost.length,
        'rows that differ in the restored replica': differing.reduce((sum, rows) => sum + rows, 0),
      },
      notes: [
        `outages showed within ${Math.round(Math.max(...storms.shownMs))} ms; the backlog took ${Math.round(watch.diskMaxBytes / MB)} MB of disk, REPLICA_BACKLOG_MAX_MB=${BACKLOG_MAX_MB}, ${full} requests were told 507; SIGTERM to exit ${Math.round(tookMs)} ms; recovery is from the end of an outage to the next confirmation`,
        ...judge.notes,
      ],
    };
  },
};

/** One outage. It lasts until the system has shown it, and at least `lengthMs`. */
async function storm(stage: Stage, storms: Storms, weather: Weather, lengthMs: number): Promise<void> {
  const { proxy, watch } = storms;
  stage.progress(weather);
  const startMs = performance.now();
  await proxy.become(weather);
  if (lengthMs === 0) await write(stage, `during-${weather}`);
  if (DEAD.has(weather)) {
    await stage
      .until(() => watch.shown.state === 'unreachable', 'it is shown', 2 * SHOWN_TIMEOUT_MS)
      .then(() => storms.shownMs.push(performance.now() - startMs))
      .catch(() => {
        storms.notShown += 1;
      });
  }
  await stage.sleep(startMs + lengthMs - performance.now());
  const { confirmedAtMs } = watch.shown;
  const uploads = proxy.counts.PUT ?? 0;
  await proxy.become('open');
  const openMs = performance.now();
  stage.progress(`after ${weather}`);
  if (DEAD.has(weather)) {
    await stage.until(() => (proxy.counts.PUT ?? 0) > uploads, 'catching up begins');
    storms.catchUpMs.push(performance.now() - openMs);
    await stage.until(() => watch.shown.confirmedAtMs > confirmedAtMs, 'something is confirmed');
    storms.confirmedMs.push(performance.now() - openMs);
  }
  await caughtUp(stage, storms);
}

async function caughtUp(stage: Stage, storms: Storms): Promise<void> {
  await stage
    .until(() => storms.watch.shown.state === 'streaming', 'it streams again', CATCH_UP_TIMEOUT_MS)
    .catch(() => {
      storms.notCaughtUp += 1;
    });
}

async function write(stage: Stage, key: string): Promise<void> {
  const { status, detail } = await request(
    `${stage.system.url}/alert`,
    'POST',
    JSON.stringify(alertFor(key)),
  );
  if (status !== 201) throw new Error(`a write was answered with ${status ?? detail}`);
}

/** Compares the shown state with the weather, once there was time to notice it. */
class StateJudge {
  readonly #proxy: StoreProxy;
  readonly notes: string[] = [];
  wrong = 0;
  #weather: Weather = 'open';
  #sinceMs = performance.now();

  constructor(proxy: StoreProxy) {
    this.#proxy = proxy;
  }

  look({ state }: Shown): void {
    const nowMs = performance.now();
    const { weather } = this.#proxy;
    if (weather !== this.#weather) {
      this.#weather = weather;
      this.#sinceMs = nowMs;
    }
    if (nowMs - this.#sinceMs < SHOWN_TIMEOUT_MS || isRight(weather, state)) return;
    if (this.wrong === 0) this.notes.push(`"${state}" was shown while the store was ${weather}`);
    this.wrong += 1;
  }
}

/** With the store open again, catching up takes time. With a slow store, the state depends on what there is to ship. */
function isRight(weather: Weather, state: string): boolean {
  if (DEAD.has(weather)) return state === 'unreachable';
  return state === 'streaming' || state === 'catching-up';
}
