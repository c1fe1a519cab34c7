import t from 'tap';
import { loadConfig } from '../../src/config/config.ts';
import { Limiter } from '../../src/limits/limiter.ts';
import type { QuotaRequest } from '../../src/limits/policy.ts';
import { LimitPool } from '../../src/limits/pool.ts';
import type { Failure } from '../../src/platform/errors.ts';
import { like } from '../support/like.ts';

const WORKERS = 2;
const configOf = (quota: number) =>
  loadConfig({ RATE_LIMIT_KEY_PER_MINUTE: String(quota), WORKERS: String(WORKERS) }, '/tmp').config;

interface Told {
  readonly passed: boolean;
  readonly headers: Record<string, string>;
}

/** Sends one request through a limiter. */
async function send(limiter: Limiter, id = 'k'): Promise<Told> {
  const headers: Record<string, string> = {};
  const res = {
    setHeader(name: string, value: string) {
      headers[name] = value;
    },
  };
  try {
    await limiter.take({ res } as never, 'key', id);
    return { passed: true, headers };
  } catch (error) {
    if ((error as Failure).code !== 'rate_limited') throw error;
    return { passed: false, headers };
  }
}

async function countPassed(limiters: readonly Limiter[], requests: number): Promise<number> {
  const told = await Promise.all(
    Array.from({ length: requests }, (_, n) => send(limiters[n % limiters.length] as Limiter)),
  );
  return told.filter(({ passed }) => passed).length;
}

t.test('workers together never pass more than the quota, and little less', async (t) => {
  for (const quota of [1, 2, 7, 100, 1000]) {
    const config = configOf(quota);
    const pool = new LimitPool(config);
    const ask = (request: QuotaRequest) => pool.grant(request);
    const limiters = [1, 2].map(() => new Limiter({ config, ask, now: () => 0 }));
    t.equal(await countPassed(limiters, 2 * quota + 10), quota, `${quota} a minute`);
    // The other worker may keep the largest grant for requests that never come.
    const fresh = new LimitPool(config);
    const [idle, busy] = [1, 2].map(
      () => new Limiter({ config, ask: (request) => fresh.grant(request), now: () => 0 }),
    ) as [Limiter, Limiter];
    await send(idle);
    const passed = await countPassed([busy], 2 * quota);
    t.ok(passed < quota && passed >= quota - Math.max(1, Math.floor(quota / (8 * WORKERS))), `${passed}`);
  }
});

t.test('a worker seldom asks', async (t) => {
  const config = configOf(10_000);
  const pool = new LimitPool(config);
  let asked = 0;
  const ask = (request: QuotaRequest) => {
    asked += 1;
    return pool.grant(request);
  };
  const limiter = new Limiter({ config, ask, now: () => 0 });
  for (let n = 0; n < 10_000; n += 1) await send(limiter);
  t.ok(asked < 200, `${asked} questions for 10000 requests`);
});

t.test('what is left is told, and the window that ends gives it all back', async (t) => {
  let nowMs = 1_000_000;
  let tokens = 2;
  const ask = async () => ({ tokens, pooled: 0, resetMs: 30_500 });
  const limiter = new Limiter({ config: configOf(2), ask, now: () => nowMs });
  const policy = '"key";q=2;w=60';
  t.same(await send(limiter), {
    passed: true,
    headers: { 'RateLimit-Policy': policy, RateLimit: '"key";r=1;t=31' },
  });
  nowMs += 10_000;
  like(t, await send(limiter), { passed: true, headers: { RateLimit: '"key";r=0;t=21' } });
  tokens = 0;
  like(t, await send(limiter), { passed: false, headers: { RateLimit: '"key";r=0;t=21' } });
  nowMs += 20_500;
  tokens = 2;
  like(t, await send(limiter), { passed: true });
});

t.test('a writer that does not answer, or cannot, leaves each worker its share', async (t) => {
  for (const ask of [() => new Promise<never>(() => {}), () => Promise.reject(new Error('gone'))]) {
    const limiter = new Limiter({ config: configOf(10), ask, now: () => 0 });
    t.equal(await countPassed([limiter], 20), 10 / WORKERS);
  }
});

t.test('no quota counts nothing, and each key has its own', async (t) => {
  let asked = 0;
  const pool = new LimitPool(configOf(1));
  const ask = (request: QuotaRequest) => {
    asked += 1;
    return pool.grant(request);
  };
  const unlimited = new Limiter({ config: configOf(0), ask, now: () => 0 });
  t.same(await send(unlimited), { passed: true, headers: {} });
  t.equal(asked, 0);
  const limiter = new Limiter({ config: configOf(1), ask, now: () => 0 });
  const passed = [];
  for (const id of ['a', 'b', 'a', 'b']) passed.push((await send(limiter, id)).passed);
  t.same(passed, [true, true, false, false]);
});
