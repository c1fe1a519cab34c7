import { newPassSecret, PASS_LIFETIME_MS, Passes } from '../ops/pass.ts';
import { monotonicNowMs } from '../writer-client/protocol.ts';

/**
 * Links to the operator's page, each for one exchange, whichever worker is asked for it. A link is: issued (`issue`) →
 * redeemed (`redeem`), or expired. The secret of this primary's passes is here alone and in its workers.
 */
export class OpsLinks {
  readonly secret = newPassSecret();
  readonly #passes = new Passes(this.secret);
  /** When each that was issued and not redeemed ends, by its id. */
  readonly #issued = new Map<string, number>();
  readonly #now: () => number;

  /** @param now of the clock that all processes share, in milliseconds */
  constructor(now: () => number = monotonicNowMs) {
    this.#now = now;
  }

  /** @returns what stands behind the `#` of a new link */
  issue(): string {
    const nowMs = this.#now();
    for (const [id, endMs] of this.#issued) if (endMs <= nowMs) this.#issued.delete(id);
    const { pass, id } = this.#passes.issue('link', nowMs);
    this.#issued.set(id, nowMs + PASS_LIFETIME_MS.link);
    return pass;
  }

  /** @returns whether the link is there to be exchanged; it is not any more then */
  redeem(id: string): boolean {
    const endMs = this.#issued.get(id);
    this.#issued.delete(id);
    return endMs !== undefined && this.#now() < endMs;
  }
}
