import { setTimeout as delay } from 'node:timers/promises';
import { percentile } from '../../src/testing/chaos/statistics.ts';
import { request } from '../../src/testing/request.ts';
import { makeTemporaryFolder, RunningSystem, removeFolder } from '../../src/testing/running-system.ts';
import { s3Environment, startS3Server } from '../../src/testing/s3-server.ts';
import { alertOf } from '../alert.ts';
import { StoreProxy } from '../support/store-proxy.ts';

const WRITE_INTERVAL_MS = 50;
const WARMUP_MS = 3000;

/** How fast the replica confirms at one sync interval, and the cost. */
export interface ConfirmationCost {
  readonly syncIntervalMs: number;
  readonly writes: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly putsPerSecond: number;
  readonly otherRequestsPerSecond: number;
  readonly idleRequestsPerSecond: number;
}

/**
 * Writes at a steady pace to a system with a replica over S3; each write asks for `Durability: replicated`.
 * @param durationMs time with writes; half as long the system is idle
 */
export async function measureConfirmations(
  syncIntervalMs: number,
  durationMs: number,
  signal: AbortSignal,
): Promise<ConfirmationCost> {
  const folder = makeTemporaryFolder();
  const store = await startS3Server();
  const proxy = await StoreProxy.start(store.endpoint);
  const env = {
    ...s3Environment({ ...store, endpoint: proxy.endpoint }, 'confirmations'),
    REPLICA_SYNC_INTERVAL_MS: String(syncIntervalMs),
    DRILL_INTERVAL_MS: '0',
    LOG_LEVEL: 'warn',
  };
  const system = RunningSystem.launch(folder, { ...env, LOG_LEVEL: 'info' }, 'pipe', {
    skip: (text) => text.includes('"msg":"request"'),
  });
  try {
    await system.ready();
    await writeFor(WARMUP_MS, system.url, 'warm', signal);
    const before = { ...proxy.counts };
    const answers = await writeFor(durationMs, system.url, 'w', signal);
    const after = { ...proxy.counts };
    await delay(durationMs / 2, undefined, { signal });
    const seconds = durationMs / 1000;
    const latenciesMs = answers.filter(({ ok }) => ok).map(({ latencyMs }) => latencyMs);
    return {
      syncIntervalMs,
      writes: answers.length,
      failed: answers.length - latenciesMs.length,
      p50Ms: percentile(latenciesMs, 0.5),
      p99Ms: percentile(latenciesMs, 0.99),
      maxMs: percentile(latenciesMs, 1),
      putsPerSecond: ((after.PUT ?? 0) - (before.PUT ?? 0)) / seconds,
      otherRequestsPerSecond: (total(after) - (after.PUT ?? 0) - total(before) + (before.PUT ?? 0)) / seconds,
      idleRequestsPerSecond: (total(proxy.counts) - total(after)) / (seconds / 2),
    };
  } finally {
    await system.destroy();
    await proxy.close();
    await store.destroy();
    removeFolder(folder);
  }
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

async function writeFor(durationMs: number, url: string, prefix: string, signal: AbortSignal) {
  const under: Promise<{ ok: boolean; latencyMs: number }>[] = [];
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    under.push(write(url, `${prefix}-${under.length}`));
    await delay(WRITE_INTERVAL_MS, undefined, { signal });
  }
  return await Promise.all(under);
}

async function write(url: string, id: string) {
  const startMs = performance.now();
  const body = JSON.stringify(alertOf(id));
  const { status } = await request(`${url}/alert`, 'POST', body, undefined, { Durability: 'replicated' });
  return { ok: status === 201, latencyMs: performance.now() - startMs };
}
