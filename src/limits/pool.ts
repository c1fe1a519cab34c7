import type { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Config } from '../config/config.ts';
import { type Grant, type GrantRequest, type Policy, quotaOf, WINDOW_MS } from './policy.ts';

/** A grant is what is left, divided by so many for each worker: what one worker holds unused, no other can use. */
const DIVISOR = 8;

/**
 * What every key and address may still ask for, in the memory of the writer, the one process that all workers ask. It
 * hands out requests in grants, large ones while much is left and single ones towards the end, so that a worker asks
 * seldom, and the sum never passes the quota. A window begins with the first request of its key and ends a minute later.
 * A writer that dies forgets: what it had granted may then be granted once more in that minute.
 */
export class LimitPool {
  readonly #config: Config;
  readonly #limiters = new Map<Policy, RateLimiterMemory>();

  constructor(config: Config) {
    this.#config = config;
  }

  async grant({ policy, id }: GrantRequest): Promise<Grant> {
    const quota = quotaOf(policy, this.#config);
    const limiter = this.#limiters.get(policy) ?? (await this.#create(policy, quota));
    const left = Math.max(0, quota - ((await limiter.get(id))?.consumedPoints ?? 0));
    const wanted = Math.min(left, Math.max(1, Math.floor(left / (DIVISOR * this.#config.WORKERS))));
    const { consumedPoints, msBeforeNext } = await limiter.penalty(id, wanted);
    // Another grant may have come between the look and the count.
    const tokens = Math.max(0, Math.min(wanted, quota - (consumedPoints - wanted)));
    return {
      tokens,
      pooled: Math.max(0, quota - consumedPoints),
      // The library counts on the wall clock, which somebody may set.
      resetMs: Math.min(WINDOW_MS, Math.max(1, msBeforeNext)),
    };
  }

  async #create(policy: Policy, quota: number): Promise<RateLimiterMemory> {
    // Loaded with the first request that is counted: without keys there is none.
    const { RateLimiterMemory } = await import('rate-limiter-flexible');
    const limiter =
      this.#limiters.get(policy) ?? new RateLimiterMemory({ points: quota, duration: WINDOW_MS / 1000 });
    this.#limiters.set(policy, limiter);
    return limiter;
  }
}
