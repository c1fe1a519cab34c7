import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Followed } from '../../messages/positions.ts';
import { freeDiskBytes } from '../../platform/free-disk.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { monotonicNowMs } from '../../writer-client/protocol.ts';
import { mirrorDir } from '../restore/mirrored.ts';
import { S3Store } from '../store/s3-store.ts';
import { Mirror, type MirrorTarget, type Synced } from './mirror.ts';
import { type MirrorState, writeMirrorState } from './mirror-state.ts';

/** Passes are at least this far apart. */
const PASS_INTERVAL_MS = 1000;
/** The pause after a pass that failed. */
const RETRY_MS = 5000;
/** A pass is due though the record has nothing new: it tells nothing of snapshots, or of what the retention removed. */
const IDLE_INTERVAL_MS = 10 * 60_000;
const MB = 1024 * 1024;
/** As for a drill: stays well away from the point where writes are refused. */
const RESERVE_MARGIN = 1.25;

/** The input of the process from the primary; the credentials come in its environment. */
export interface MirrorInput {
  /** Names without `.db`. */
  readonly databases: readonly string[];
}

/**
 * The process that mirrors the leader's replica while this system stands by. States: waiting for a change of the record
 * (message `mirror`) ⇄ making a pass.
 */
export async function run({ config, log, send, standby, ready, onMessage }: Runtime): Promise<void> {
  process.umask(0o077);
  const { databases } = (await standby()) as MirrorInput;
  const { replica, DATA_DIR, DISK_RESERVE_MB } = config;
  if (replica.type !== 's3') throw new TypeError('a folder is not mirrored');
  const mirror = new Mirror({
    store: new S3Store({ config, env: process.env }, replica),
    folder: mirrorDir(DATA_DIR),
    freeBytes: freeDiskBytes,
    reserveBytes: DISK_RESERVE_MB * RESERVE_MARGIN * MB,
    now: monotonicNowMs,
  });
  const end = new AbortController();
  let followed: Followed | undefined;
  let has: Followed | undefined;
  /** Since when the mirror lacks something; undefined while it lacks nothing. */
  let behindSinceMs: number | undefined;
  let synced: Synced | undefined;
  let syncedAtMs: number | undefined;
  onMessage((message) => {
    if (message.kind === 'mirror') {
      followed = message.followed;
      if (!isDeepStrictEqual(followed, has)) behindSinceMs ??= monotonicNowMs();
    }
    if (message.kind === 'drain') {
      end.abort();
      log.flush(() => process.exit(0));
    }
  });
  const report = (trouble?: string) =>
    send({
      kind: 'report',
      gauges: {
        lag_seconds: behindSinceMs === undefined ? 0 : (monotonicNowMs() - behindSinceMs) / 1000,
        ...(synced && { files: synced.totalFiles, bytes: synced.totalBytes }),
        ...(syncedAtMs !== undefined && { synced_at_seconds: syncedAtMs / 1000 }),
      },
      trouble,
    });
  const pass = async (target: Followed): Promise<void> => {
    const startMs = monotonicNowMs();
    synced = await mirror.sync(targetOf(target, databases), end.signal);
    writeMirrorState(DATA_DIR, { folder: target.data, confirmed: target.confirmed } satisfies MirrorState);
    has = target;
    syncedAtMs = Date.now();
    behindSinceMs = isDeepStrictEqual(followed, has) ? undefined : startMs;
  };
  ready();
  let dueMs = 0;
  while (!end.signal.aborted) {
    const isBehind = followed !== undefined && !isDeepStrictEqual(followed, has);
    const nowMs = monotonicNowMs();
    if (followed && (isBehind ? nowMs >= dueMs : nowMs >= dueMs + IDLE_INTERVAL_MS)) {
      try {
        await pass(followed);
        dueMs = nowMs;
        report();
      } catch (error) {
        if (end.signal.aborted) return;
        const reason = (error as Error).message;
        log.warn(`the replica could not be mirrored: ${reason}`);
        report(`the replica is not mirrored: ${reason}`);
        dueMs = monotonicNowMs() + RETRY_MS;
      }
    }
    await sleep(PASS_INTERVAL_MS, undefined, { signal: end.signal }).catch(() => {});
  }
}

function targetOf({ data, confirmed }: Followed, databases: readonly string[]): MirrorTarget {
  const generations = databases.map((database) => [database, confirmed[database]?.generation] as const);
  return { folder: data, generations: Object.fromEntries(generations) };
}
