import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const NONCE_BYTES = 16;
const PARTS = 3;

/** @param purpose what is signed, so that a signature of one kind of text is not valid for another */
export function sign(secret: string | Buffer, purpose: string, text: string): string {
  return createHmac('sha256', secret).update(`${purpose}\n${text}`).digest('base64url');
}

/** Compares in constant time. */
export function isSignedBy(
  secret: string | Buffer,
  purpose: string,
  text: string,
  signature: unknown,
): boolean {
  if (typeof signature !== 'string') return false;
  const expected = Buffer.from(sign(secret, purpose, text));
  const given = Buffer.from(signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/**
 * Issues nonces that are recognized by a signature instead of being stored, so that nobody can fill the memory with
 * them. States of a nonce: issued → used (`use`), or expired by the clock.
 */
export class Nonces {
  readonly #key = randomBytes(32);
  readonly #lifetimeMs: number;
  readonly #now: () => number;
  /** Used nonces, each with the time at which it expires anyway. */
  readonly #used = new Map<string, number>();

  constructor(lifetimeMs: number, now: () => number) {
    this.#lifetimeMs = lifetimeMs;
    this.#now = now;
  }

  issue(): string {
    const text = `${Math.ceil(this.#now())}.${randomBytes(NONCE_BYTES).toString('base64url')}`;
    return `${text}.${sign(this.#key, 'nonce', text)}`;
  }

  /** @returns whether the nonce was issued here, has not expired, and is used for the first time */
  use(nonce: string): boolean {
    const parts = nonce.split('.');
    const [issuedMs = '', random, signature] = parts;
    if (parts.length !== PARTS || !isSignedBy(this.#key, 'nonce', `${issuedMs}.${random}`, signature))
      return false;
    const nowMs = this.#now();
    for (const [used, endsMs] of this.#used) if (endsMs < nowMs) this.#used.delete(used);
    const endsMs = Number(issuedMs) + this.#lifetimeMs;
    if (endsMs < nowMs || this.#used.has(nonce)) return false;
    this.#used.set(nonce, endsMs);
    return true;
  }
}
