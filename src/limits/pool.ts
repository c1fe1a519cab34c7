import type { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Config } from '../config/config.ts';
import { type Policy, type QuotaLease, type QuotaRequest, quotaOf, WINDOW_MS } from './policy.ts';

/** A lease is the rest of the quota, divided by this for each worker: no other worker can use what one holds unused. */
const DIVISOR = 8;

/**
 * The remaining quotas of all keys and addresses, in the memory of the writer, which all workers ask. It hands out
 * requests in leases: large ones while much is left, single ones towards the end. So a worker asks seldom, and the sum
 * never exceeds the quota. A window begins with the first request of its key or address, and ends a minute later. A new
 * writer knows nothing of earlier leases: what they allowed may be granted once more in that minute.
 */
export class LimitPool {
  readonly #config: Config;
  readonly #limiters = new Map<Policy, RateLimiterMemory>();

  constructor(config: Config) {
    this.#config = config;
  }

  async grant({ policy, id }: QuotaRequest): Promise<QuotaLease> {
    const quota = quotaOf(policy, this.#config);
    const limiter = this.#limiters.get(policy) ?? (await this.#create(policy, quota));
    const left = Math.max(0, quota - ((await limiter.get(id))?.consumedPoints ?? 0));
    const wanted = Math.min(left, Math.max(1, Math.floor(left / (DIVISOR * this.#config.WORKERS))));
    const { consumedPoints, msBeforeNext } = await limiter.penalty(id, wanted);
    // Another lease may have been counted between the two calls.
    const tokens = Math.max(0, Math.min(wanted, quota - (consumedPoints - wanted)));
    return {
      tokens,
      pooled: Math.max(0, quota - consumedPoints),
      // The library uses the wall clock, which may be set: bound its result.
      resetMs: Math.min(WINDOW_MS, Math.max(1, msBeforeNext)),
    };
  }

  async #create(policy: Policy, quota: number): Promise<RateLimiterMemory> {
    // Loaded at the first counted request: without keys no request is counted.
    const { RateLimiterMemory } = await import('rate-limiter-flexible');
    const limiter =
      this.#limiters.get(policy) ?? new RateLimiterMemory({ points: quota, duration: WINDOW_MS / 1000 });
    this.#limiters.set(policy, limiter);
    return limiter;
  }
}
