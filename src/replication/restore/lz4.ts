const MAGIC = 0x184d2204;
const VERSION_BITS = 0x40;
const INDEPENDENT_BIT = 0x20;
const BLOCK_CHECKSUM_BIT = 0x10;
const CONTENT_SIZE_BIT = 0x08;
const CONTENT_CHECKSUM_BIT = 0x04;
const DICTIONARY_BIT = 0x01;
const STORED_BIT = 0x80000000;
const BLOCK_MAX_BYTES = 4 * 1024 * 1024;
/** The code of BLOCK_MAX_BYTES in the second byte of a frame descriptor. */
const BLOCK_MAX_CODE = 0x70;
/** The second byte of the xxHash of the descriptor that `storedLz4` writes. */
const DESCRIPTOR_CHECK = 0x73;
/** How far back a block may refer to the blocks before it. */
const WINDOW_BYTES = 64 * 1024;
const MATCH_MIN_BYTES = 4;

/**
 * Reads an LZ4 frame. It does not verify the frame's checksums: a WAL has its own.
 *
 * @param source the bytes of the frame, in pieces of any size
 * @yields the content, one block at a time, each in memory of its own
 * @throws Error that says what is wrong with the frame
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
export async function* decodeLz4(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const input = new Input(source);
  if ((await input.number()) !== MAGIC) throw new Error('it is no LZ4 frame');
  const [flags = 0, sizeCode = 0] = await input.bytes(2);
  if ((flags & 0xc0) !== VERSION_BITS || flags & DICTIONARY_BIT)
    throw new Error('it is an LZ4 frame of another kind');
  const moreBytes = flags & CONTENT_SIZE_BIT ? 8 : 0;
  await input.bytes(moreBytes + 1);
  const blockMaxBytes = 2 ** (2 * ((sizeCode >> 4) & 7) + 8);
  let window: Uint8Array = new Uint8Array(0);
  for (;;) {
    const size = await input.number();
    if (size === 0) break;
    const stored = Buffer.from(await input.bytes((size & ~STORED_BIT) >>> 0));
    if (flags & BLOCK_CHECKSUM_BIT) await input.bytes(4);
    const block = size & STORED_BIT ? new Uint8Array(stored) : decodeBlock(stored, window, blockMaxBytes);
    if (!(flags & INDEPENDENT_BIT)) window = Buffer.concat([window, block]).subarray(-WINDOW_BYTES);
    yield block;
  }
  if (flags & CONTENT_CHECKSUM_BIT) await input.bytes(4);
}

/** @returns an LZ4 frame that holds the content uncompressed */
export function storedLz4(content: Uint8Array): Buffer {
  const descriptor = Uint8Array.of(VERSION_BITS | INDEPENDENT_BIT, BLOCK_MAX_CODE, DESCRIPTOR_CHECK);
  const parts: Uint8Array[] = [littleEndian(MAGIC), descriptor];
  for (let from = 0; from < content.length; from += BLOCK_MAX_BYTES) {
    const block = content.subarray(from, from + BLOCK_MAX_BYTES);
    parts.push(littleEndian((block.length | STORED_BIT) >>> 0), block);
  }
  return Buffer.concat([...parts, littleEndian(0)]);
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

let scratch = new Uint8Array(0);

/** Where a match overlaps its own output, bytes are copied one by one, as the format requires. */
function decodeBlock(source: Uint8Array, window: Uint8Array, maxBytes: number): Uint8Array {
  const windowBytes = window.length;
  // The buffer is reused: most segments are much smaller than the largest block.
  if (scratch.length < windowBytes + maxBytes) scratch = new Uint8Array(windowBytes + maxBytes);
  const target = scratch.subarray(0, windowBytes + maxBytes);
  target.set(window);
  let from = 0;
  let to = windowBytes;
  const length = (start: number): number => {
    if (start !== 15) return start;
    let sum = start;
    for (let next = 255; next === 255; ) {
      next = source[from++] ?? wrong();
      sum += next;
    }
    return sum;
  };
  while (from < source.length) {
    const token = source[from++] as number;
    const literals = length(token >> 4);
    if (from + literals > source.length || to + literals > target.length) wrong();
    target.set(source.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === source.length) break;
    const distance = (source[from++] ?? wrong()) | ((source[from++] ?? wrong()) << 8);
    const count = length(token & 15) + MATCH_MIN_BYTES;
    if (distance === 0 || distance > to || to + count > target.length) wrong();
    if (distance >= count) target.copyWithin(to, to - distance, to - distance + count);
    else
      for (let place = to; place < to + count; place += 1) target[place] = target[place - distance] as number;
    to += count;
  }
  return target.slice(windowBytes, to);
}

function wrong(): never {
  throw new Error('a block of its LZ4 frame is damaged');
}

/** Reads a source of pieces by a given number of bytes. */
class Input {
  readonly #source: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#source =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  async number(): Promise<number> {
    const [a = 0, b = 0, c = 0, d = 0] = await this.bytes(4);
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  }

  async bytes(count: number): Promise<Uint8Array> {
    if (this.#buffer.length < count) await this.#fill(count);
    const found = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return found;
  }

  async #fill(count: number): Promise<void> {
    const parts = [this.#buffer];
    for (let there = this.#buffer.length; there < count; ) {
      const { value, done } = await this.#source.next();
      if (done) throw new Error('it is cut off');
      parts.push(value);
      there += value.length;
    }
    this.#buffer = Buffer.concat(parts);
  }
}
