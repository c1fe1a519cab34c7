import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * A key as its holder has it: `nl_`, the id of its row (16 hex digits), `_`, the secret (256 random bits in base64url),
 * and the CRC-32 of all that in 8 hex digits. The prefix lets a person and a scanner of secrets recognise it, and the
 * checksum tells a key that was cut or mistyped from one that is unknown, without a look at the database.
 */
const TOKEN = /^nl_([0-9a-f]{16})_([\w-]{43})([0-9a-f]{8})$/;
const ID_BYTES = 8;
const SECRET_BYTES = 32;
const CHECKSUM_CHARS = 8;

/** The parts of a token, before its secret has been compared. */
export interface Token {
  readonly id: string;
  readonly secret: string;
}

export function newKeyId(): string {
  return randomBytes(ID_BYTES).toString('hex');
}

export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** @returns the token for the holder, who sees it only once */
export function tokenOf({ id, secret }: Token): string {
  const text = `nl_${id}_${secret}`;
  return text + checksumOf(text);
}

/** @returns the parts of a token; undefined when the text is not a valid one */
export function parseToken(text: string): Token | undefined {
  const [, id, secret, checksum] = TOKEN.exec(text) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  return checksumOf(text.slice(0, -CHECKSUM_CHARS)) === checksum ? { id, secret } : undefined;
}

/**
 * The hash of a secret that is stored. A fast hash is enough: a secret has 256 random bits, which nobody can try out.
 * Slow hashes are for passwords, which people choose.
 */
export function hashOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** Compares hashes in constant time. */
export function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(CHECKSUM_CHARS, '0');
}
