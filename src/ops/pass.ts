import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** `link` opens the operator's page once, `session` is what it then shows. */
export type PassKind = 'link' | 'session';

/** How long each is good for. */
export const PASS_LIFETIME_MS = { link: 60_000, session: 3_600_000 } as const;

const PASS = /^nlp_(link|session)_([\w-]{22})_(\d{1,15})_([\w-]{43})$/;
const ID_BYTES = 16;
const SECRET_BYTES = 32;

/**
 * Makes and checks passes by a secret that every process of one system has and no other: one that is made here is good in
 * each of them, and none outlives the primary, which makes the secret. A pass is its kind, an id, when it ends, and an
 * HMAC-SHA256 of these. Times are those of the clock that all processes of the machine share and nobody can set.
 */
export class Passes {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** @returns the pass, and the id by which it can be told again */
  issue(kind: PassKind, nowMs: number): { readonly pass: string; readonly id: string } {
    const id = randomBytes(ID_BYTES).toString('base64url');
    const endMs = Math.round(nowMs + PASS_LIFETIME_MS[kind]);
    const signed = `nlp_${kind}_${id}_${endMs}`;
    return { pass: `${signed}_${this.#sign(signed).toString('base64url')}`, id };
  }

  /** @returns its id; undefined for what is no pass of this kind, or was */
  check(kind: PassKind, text: string, nowMs: number): string | undefined {
    const [, found, id, endMs, signature] = PASS.exec(text) ?? [];
    if (found !== kind || id === undefined || signature === undefined) return undefined;
    const expected = this.#sign(text.slice(0, -signature.length - 1));
    const given = Buffer.from(signature, 'base64url');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return nowMs < Number(endMs) ? id : undefined;
  }

  #sign(text: string): Buffer {
    return createHmac('sha256', this.#secret).update(text).digest();
  }
}

/** @returns a secret for passes */
export function newPassSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}
