import { PASS_LIFETIME_MS, Passes } from '../../ops/pass.ts';
import { Failure } from '../../platform/errors.ts';
import type { Ask } from '../../runtime/answers.ts';

const MS_PER_S = 1000;

/** What a page gets for a link. */
export interface OpsSession {
  readonly session: string;
  readonly expires_in_seconds: number;
}

/**
 * Sessions of the operator's page in one worker. The primary has given it the secret of the passes (`know`), so that each
 * worker takes what another has opened, and none asks the primary for what nobody has issued. A primary of an older release
 * gives none; then there are no sessions.
 */
export class OpsSessions {
  readonly #ask: Ask;
  readonly #now: () => number;
  #passes: Passes | undefined;

  /** @param now of the clock that all processes share, in milliseconds */
  constructor(ask: Ask, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** @param secret in base64, as the primary sends it */
  know(secret: string): void {
    this.#passes = new Passes(Buffer.from(secret, 'base64'));
  }

  /**
   * Exchanges what stands behind the `#` of a link.
   * @throws Failure unauthorized when it is none, was exchanged, or is too old
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
