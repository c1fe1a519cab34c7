import type { Context } from 'koa';
import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import { type Grant, type GrantRequest, type Policy, quotaOf, WINDOW_MS } from './policy.ts';

/** A writer that is away must not hold up reads for longer. */
const ANSWER_TIMEOUT_MS = 250;

interface Lease {
  tokens: number;
  readonly pooled: number;
  readonly untilMs: number;
}

export interface LimiterOptions {
  readonly config: Config;
  /** Asks the writer. */
  readonly ask: (request: GrantRequest) => Promise<Grant>;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/**
 * Counts a worker's requests against what the writer's pool has granted it. A lease of one key or address is: none →
 * asked for (a request comes) → held (granted: requests pass without asking anyone) → none (used up, or its window is
 * over). One without tokens is the end of the window's quota, and refuses until that is over.
 *
 * While the writer does not answer, each worker grants itself its share of the quota, so that together they let pass at
 * most one quota a window beyond what the writer had granted before.
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
   * Counts one request, and tells in its headers what is left (draft-ietf-httpapi-ratelimit-headers).
   * @param id a key's id, or an address
   * @returns undefined when it may pass at once, else a promise of that
   * @throws Failure rate_limited
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
    // Those who waited with it may have used it up.
    await this.take(ctx, policy, id);
  }

  #renew(policy: Policy, id: string): Promise<void> {
    const name = `${policy}:${id}`;
    const askedMs = this.#options.now();
    const renewal = this.#ask({ policy, id }).then(({ tokens, pooled, resetMs }) => {
      this.#asking.delete(name);
      // Counted from before the question, so that it never outlives its window. A grant of none is the end of it.
      this.#leases[policy].set(id, { tokens, pooled: tokens === 0 ? 0 : pooled, untilMs: askedMs + resetMs });
    });
    this.#asking.set(name, renewal);
    return renewal;
  }

  /** Never rejects. */
  async #ask(request: GrantRequest): Promise<Grant> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), ANSWER_TIMEOUT_MS);
    try {
      const grant = await Promise.race([this.#options.ask(request).catch(() => undefined), late]);
      return grant ?? this.#ownShare(request.policy);
    } finally {
      clearTimeout(timer);
    }
  }

  #ownShare(policy: Policy): Grant {
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
