import { PASS_LIFETIME_MS, Passes } from '../../ops/pass.ts';
import { Failure } from '../../platform/errors.ts';
import type { Ask } from '../../runtime/answers.ts';

const MS_PER_S = 1000;

/** The session that a page gets in exchange for a link. */
export interface OpsSession {
  readonly session: string;
  readonly expires_in_seconds: number;
}

/**
 * The sessions of the operator's page, in one worker. Links and sessions are signed passes. The primary sends the
 * secret of the passes to each worker (`know`), so that every worker accepts a session that another has opened, and
 * forged passes are refused without asking the primary. A primary of an older release sends no secret; then there are
 * no sessions.
 */
export class OpsSessions {
  readonly #ask: Ask;
  readonly #now: () => number;
  #passes: Passes | undefined;

  /** @param now milliseconds on the monotonic clock, which all processes share */
  constructor(ask: Ask, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** @param secret in base64, as the primary sends it */
  know(secret: string): void {
    this.#passes = new Passes(Buffer.from(secret, 'base64'));
  }

  /**
   * Exchanges a link for a session.
   * @param link the text after the `#` of the link
   * @throws Failure unauthorized when it is not valid, was exchanged before, or is too old
   */
  async open(link: string): Promise<OpsSession> {
    const id = this.#passes?.check('link', link, this.#now());
    if (this.#passes === undefined || id === undefined || !(await this.#ask('redeem', id))) {
      throw new Failure(
        'unauthorized',
        'This link is none, was opened before, or is older than a minute: npx ninelives ops prints another',
      );
    }
    const { pass } = this.#passes.issue('session', this.#now());
    return { session: pass, expires_in_seconds: PASS_LIFETIME_MS.session / MS_PER_S };
  }

  isSession(text: string): boolean {
    return this.#passes?.check('session', text, this.#now()) !== undefined;
  }
}
