import { createCipheriv, createDecipheriv, hash } from 'node:crypto';

/** One block, so that each id has one cursor of an owner, and none tells anything of another. */
const CIPHER = 'aes-256-ecb';
const BLOCK_BYTES = 16;
const ID_BYTES = 8;
/** Names what the number means, so that a cursor of another list is not taken for one of this. */
const KIND = 'alerts<';

/**
 * Places in the list: everything older than the alert with an id. A place, not a count of rows to skip, so that alerts
 * which come or go between two pages neither repeat nor hide another. Sealed, since ids are counted over all owners, and
 * would tell each how much the others do.
 */
export class Cursors {
  readonly #key: Buffer;

  /** @param key 32 bytes */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** @returns an opaque string that is safe in a URL */
  encode(owner: string, id: number): string {
    const block = Buffer.alloc(BLOCK_BYTES);
    block.writeBigUInt64BE(BigInt(id));
    markOf(owner).copy(block, ID_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]).toString('base64url');
  }

  /** @returns the id that `encode` was given; undefined when it did not make this string for this owner */
  decode(owner: string, cursor: string): number | undefined {
    const sealed = Buffer.from(cursor, 'base64url');
    if (sealed.length !== BLOCK_BYTES || sealed.toString('base64url') !== cursor) return idOfOlder(cursor);
    const decipher = createDecipheriv(CIPHER, this.#key, null).setAutoPadding(false);
    const block = Buffer.concat([decipher.update(sealed), decipher.final()]);
    const id = Number(block.readBigUInt64BE());
    const isOurs = block.subarray(ID_BYTES).equals(markOf(owner)) && isId(id);
    return isOurs ? id : idOfOlder(cursor);
  }
}

/** By it a cursor is told from anything else that could be unsealed. */
function markOf(owner: string): Buffer {
  return hash('sha256', KIND + owner, 'buffer').subarray(0, BLOCK_BYTES - ID_BYTES);
}

/** Releases before had the id as it is; who was in the middle of a list goes on. */
function idOfOlder(cursor: string): number | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const id = Number(text.slice(KIND.length));
  return isId(id) && Buffer.from(`${KIND}${id}`).toString('base64url') === cursor ? id : undefined;
}

function isId(id: number): boolean {
  return Number.isSafeInteger(id) && id > 0;
}
