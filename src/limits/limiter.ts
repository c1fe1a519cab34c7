import type { Context } from 'koa';
import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import { type Policy, type QuotaLease, type QuotaRequest, quotaOf, WINDOW_MS } from './policy.ts';

/** Longest wait for a lease: while the writer is away, reads must not be delayed for longer. */
const ANSWER_TIMEOUT_MS = 250;

interface Lease {
  tokens: number;
  readonly pooled: number;
  readonly untilMs: number;
}

export interface LimiterOptions {
  readonly config: Config;
  /** Asks the writer for a lease. */
  readonly ask: (request: QuotaRequest) => Promise<QuotaLease>;
  /** @returns milliseconds on the monotonic clock */
  readonly now: () => number;
}

/**
 * Counts a worker's requests against the leases that the writer's pool has granted it.
 *
 * States of the lease of one key or address: none → asked for (a request comes) → held (granted: requests pass without
 * a query) → none (it is used up, or its window is over). A lease granted without tokens means that the quota of the
 * window is used up: requests are refused until the window is over.
 *
 * While the writer does not answer, each worker grants itself its share of the quota. Together the workers then let
 * pass at most one quota in each window beyond the writer's leases.
 */
export class Limiter {
  readonly #options: LimiterOptions;
  readonly #leases: Readonly<Record<Policy, Map<string, Lease>>> = {
    key: new Map(),
    address: new Map(),
    public: new Map(),
  };
  readonly #policyHeaders = new Map<Policy, string>();
  readonly #asking = new Map<string, Promise<void>>();

  constructor(options: LimiterOptions) {
    this.#options = options;
    setInterval(() => this.#sweep(), WINDOW_MS).unref();
  }

  /**
   * Counts one request, and sets the headers that tell what is left (draft-ietf-httpapi-ratelimit-headers).
   * @param id the id of a key, or an address
   * @returns undefined when the request may pass at once, otherwise a promise that resolves when it may
   * @throws Failure rate_limited when it may not; the promise rejects with the same
   */
  take(ctx: Context, policy: Policy, id: string): void | Promise<void> {
    const quota = quotaOf(policy, this.#options.config);
    if (quota === 0) return;
    const lease = this.#leases[policy].get(id);
    const nowMs = this.#options.now();
    if (lease === undefined || nowMs >= lease.untilMs) return this.#askAndTake(ctx, policy, id);
    const resetSeconds = Math.ceil((lease.untilMs - nowMs) / 1000);
    if (lease.tokens === 0 && lease.pooled > 0) return this.#askAndTake(ctx, policy, id);
    const isRefused = lease.tokens === 0;
    if (!isRefused) lease.tokens -= 1;
    ctx.res.setHeader('RateLimit-Policy', this.#policyHeader(policy, quota));
    ctx.res.setHeader('RateLimit', `"${policy}";r=${lease.tokens + lease.pooled};t=${resetSeconds}`);
    if (isRefused) {
      throw new Failure('rate_limited', `More than ${quota} requests in a minute`, {
        retryAfterSeconds: resetSeconds,
      });
    }
  }

  #policyHeader(policy: Policy, quota: number): string {
    let header = this.#policyHeaders.get(policy);
    if (header === undefined) {
      header = `"${policy}";q=${quota};w=${WINDOW_MS / 1000}`;
      this.#policyHeaders.set(policy, header);
    }
    return header;
  }

  async #askAndTake(ctx: Context, policy: Policy, id: string): Promise<void> {
    const asking = this.#asking.get(`${policy}:${id}`) ?? this.#renew(policy, id);
    await asking;
    // Other requests that waited for the same lease may have used it up.
    await this.take(ctx, policy, id);
  }

  #renew(policy: Policy, id: string): Promise<void> {
    const name = `${policy}:${id}`;
    const askedMs = this.#options.now();
    const renewal = this.#ask({ policy, id }).then(({ tokens, pooled, resetMs }) => {
      this.#asking.delete(name);
      // Counted from before the query, so that the lease never outlives its window. A lease of 0 tokens ends the quota.
      this.#leases[policy].set(id, { tokens, pooled: tokens === 0 ? 0 : pooled, untilMs: askedMs + resetMs });
    });
    this.#asking.set(name, renewal);
    return renewal;
  }

  /** Asks the writer; without an answer in time, grants this worker's own share. Never rejects. */
  async #ask(request: QuotaRequest): Promise<QuotaLease> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), ANSWER_TIMEOUT_MS);
    try {
      const lease = await Promise.race([this.#options.ask(request).catch(() => undefined), late]);
      return lease ?? this.#ownShare(request.policy);
    } finally {
      clearTimeout(timer);
    }
  }

  #ownShare(policy: Policy): QuotaLease {
    const { config } = this.#options;
    const tokens = Math.max(1, Math.floor(quotaOf(policy, config) / config.WORKERS));
    return { tokens, pooled: 0, resetMs: WINDOW_MS };
  }

  #sweep(): void {
    const nowMs = this.#options.now();
    for (const leases of Object.values(this.#leases)) {
      for (const [id, { untilMs }] of leases) if (nowMs >= untilMs) leases.delete(id);
    }
  }
}
