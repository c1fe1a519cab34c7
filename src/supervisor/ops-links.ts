import { newPassSecret, PASS_LIFETIME_MS, Passes } from '../ops/pass.ts';
import { monotonicNowMs } from '../writer-client/protocol.ts';

/**
 * Links to the operator's page. Each can be exchanged once, at any worker. States of a link: issued (`issue`) →
 * redeemed (`redeem`), or expired. Only this primary and its workers have the secret of its passes.
 */
export class OpsLinks {
  readonly secret = newPassSecret();
  readonly #passes = new Passes(this.secret);
  /** When each link expires that was issued and not redeemed, by its id. */
  readonly #issued = new Map<string, number>();
  readonly #now: () => number;

  /** @param now the clock that all processes share, in milliseconds */
  constructor(now: () => number = monotonicNowMs) {
    this.#now = now;
  }

  /** @returns the part of a new link behind the `#` */
  issue(): string {
    const nowMs = this.#now();
    for (const [id, endMs] of this.#issued) if (endMs <= nowMs) this.#issued.delete(id);
    const { pass, id } = this.#passes.issue('link', nowMs);
    this.#issued.set(id, nowMs + PASS_LIFETIME_MS.link);
    return pass;
  }

  /** @returns whether the link is valid; from then on it is not */
  redeem(id: string): boolean {
    const endMs = this.#issued.get(id);
    this.#issued.delete(id);
    return endMs !== undefined && this.#now() < endMs;
  }
}
