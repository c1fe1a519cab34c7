import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HASH_BYTES = 32;
export const KEY_BYTES = 32;
/** A name of an owner is short; what is longer is none of ours. */
const TOKEN_MAX_CHARS = 1024;

/** Whom a link unsubscribes from whom. */
export interface Subscription {
  readonly owner: string;
  readonly addressHash: Buffer;
}

/**
 * @returns SHA-256 of the address in lower case: a recipient takes no notice of the case, and whoever wants nothing more
 *   means the mailbox
 */
export function hashOfAddress(email: string): Buffer {
  return createHash('sha256').update(email.toLowerCase()).digest();
}

/**
 * Seals what a link stands for, so that it works without a login and after the alert is gone, tells nobody the owner's
 * name, and can be made by nobody who has not the key.
 *
 * @returns characters that are safe in a URL
 */
export function seal({ owner, addressHash }: Subscription, key: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
  const sealed = Buffer.concat([cipher.update(addressHash), cipher.update(owner, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
}

/** @returns what `seal` was given; undefined when it did not make this token with this key */
export function open(token: string, key: Buffer): Subscription | undefined {
  const bytes = token.length > TOKEN_MAX_CHARS ? Buffer.alloc(0) : Buffer.from(token, 'base64url');
  if (bytes.length < IV_BYTES + TAG_BYTES + HASH_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    return { owner: plain.subarray(HASH_BYTES).toString('utf8'), addressHash: plain.subarray(0, HASH_BYTES) };
  } catch {
    return undefined;
  }
}
