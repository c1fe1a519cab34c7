import { closeSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

/** https://sqlite.org/fileformat2.html#the_write_ahead_log; numbers are big endian. */
export const WAL_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
/** With the lowest bit set, the checksums are of big-endian numbers. */
const MAGIC = 0x377f0682;
/** Offsets in the header of a WAL. */
const PAGE_SIZE_AT = 8;
const SALT_AT = 16;
const SUMS_AT = 24;
/** Offsets in the header of a frame; its checksum covers the header up to the salts. */
const FRAME_SALT_AT = 8;
const FRAME_SUMS_AT = 16;
const SALT_BYTES = 8;
const SALT_HEX_DIGITS = 8;
const SALT_MAX = 2 ** 32;
const PAGE_MIN_BYTES = 512;
const PAGE_MAX_BYTES = 65_536;
const PIECE_BYTES = 1024 * 1024;

interface WalHeader {
  readonly pageBytes: number;
  /** Both salts in hex: they identify this WAL among all that the database ever had. */
  readonly salt: string;
}

/** The image of one page, as a commit has written it. */
export interface Frame {
  /** The first page is 1. */
  readonly page: number;
  /** Whether it is the last frame of its commit. */
  readonly isCommit: boolean;
  /** Valid until the next frame. */
  readonly image: Uint8Array;
  /** Where the frame ends in its WAL. */
  readonly endBytes: number;
}

/** The bytes are no WAL, or do not continue it. */
class UnsoundWal extends Error {}

/**
 * Reads one WAL from its beginning, in pieces of any size, and checks that each frame follows the one before. A frame's
 * checksum also covers everything before it, so nothing can be missing in between.
 */
export class WalReader {
  #rest: Uint8Array = new Uint8Array(0);
  #header: (WalHeader & { readonly isLittle: boolean }) | undefined;
  #sums: WalSums = [0, 0];
  #readBytes = 0;

  /** The offset at which the next piece has to begin. */
  get nextBytes(): number {
    return this.#readBytes + this.#rest.length;
  }

  /** Undefined before the header was read. */
  get header(): WalHeader | undefined {
    return this.#header;
  }

  /**
   * @param bytes the next bytes of the WAL
   * @yields the frames that these bytes complete; the caller has to take all of them
   * @throws Error that says why the bytes cannot follow those before
   */
  *frames(bytes: Uint8Array): Generator<Frame> {
    let source = bytes;
    if (this.#rest.length > 0) {
      source = new Uint8Array(this.#rest.length + bytes.length);
      source.set(this.#rest);
      source.set(bytes, this.#rest.length);
    }
    let place = 0;
    for (;;) {
      const size = this.#header ? FRAME_HEADER_BYTES + this.#header.pageBytes : WAL_HEADER_BYTES;
      if (place + size > source.length) break;
      const part = source.subarray(place, place + size);
      place += size;
      this.#readBytes += size;
      if (this.#header) yield this.#frame(part, this.#header);
      else this.#begin(part);
    }
    // A copy, since the caller may reuse the bytes. `subarray` and `slice` of a Buffer would not copy.
    this.#rest = Uint8Array.from(source.subarray(place));
  }

  #begin(bytes: Uint8Array): void {
    const view = viewOf(bytes);
    const magic = view.getUint32(0);
    const pageBytes = view.getUint32(PAGE_SIZE_AT);
    const isPageSize = pageBytes >= PAGE_MIN_BYTES && pageBytes <= PAGE_MAX_BYTES;
    if ((magic & ~1) >>> 0 !== MAGIC || !isPageSize) throw new UnsoundWal('it is no WAL');
    const isLittle = (magic & 1) === 0;
    this.#sums = walSums(bytes.subarray(0, SUMS_AT), this.#sums, isLittle);
    if (!this.#isSum(view, SUMS_AT)) throw new UnsoundWal('the header of its WAL is damaged');
    this.#header = { pageBytes, isLittle, salt: saltIn(bytes, SALT_AT) };
  }

  #frame(bytes: Uint8Array, { isLittle, salt }: WalHeader & { readonly isLittle: boolean }): Frame {
    const view = viewOf(bytes);
    const image = bytes.subarray(FRAME_HEADER_BYTES);
    this.#sums = walSums(bytes.subarray(0, FRAME_SALT_AT), this.#sums, isLittle);
    this.#sums = walSums(image, this.#sums, isLittle);
    if (saltIn(bytes, FRAME_SALT_AT) !== salt || !this.#isSum(view, FRAME_SUMS_AT))
      throw new UnsoundWal('its frames do not follow those before');
    return { page: view.getUint32(0), isCommit: view.getUint32(4) !== 0, image, endBytes: this.#readBytes };
  }

  #isSum(view: DataView, place: number): boolean {
    return view.getUint32(place) === this.#sums[0] && view.getUint32(place + 4) === this.#sums[1];
  }
}

/** @returns the frames of a WAL file, in order, up to the first that does not follow; none where it cannot be opened */
export function* framesOf(path: string): Generator<Frame> {
  const reader = new WalReader();
  try {
    for (const piece of piecesOf(path)) yield* reader.frames(piece);
  } catch (error) {
    if (!(error instanceof UnsoundWal)) throw error;
  }
}

/** @returns the header of a WAL, or of a copy of one; undefined where there is no sound one */
export function walHeaderOf(path: string): WalHeader | undefined {
  const reader = new WalReader();
  const [bytes = new Uint8Array(0)] = piecesOf(path, WAL_HEADER_BYTES);
  try {
    reader.frames(bytes).next();
  } catch (error) {
    if (!(error instanceof UnsoundWal)) throw error;
  }
  return reader.header;
}

/** @returns whether `next` is of the WAL after that with `salt`: SQLite begins it when the database has all of that */
export function isNextSalt(salt: string, next: string): boolean {
  const firstOf = (text: string) => Number.parseInt(text.slice(0, SALT_HEX_DIGITS), 16);
  return firstOf(next) === (firstOf(salt) + 1) % SALT_MAX;
}

/** @returns the pieces of a file; each is valid until the next. None where the file cannot be opened. */
function* piecesOf(path: string, sizeBytes = PIECE_BYTES): Generator<Uint8Array> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return;
  }
  try {
    const piece = Buffer.alloc(sizeBytes);
    for (;;) {
      const gotBytes = readSync(file, piece, 0, sizeBytes, null);
      if (gotBytes === 0) return;
      yield piece.subarray(0, gotBytes);
    }
  } finally {
    closeSync(file);
  }
}

function saltIn(bytes: Uint8Array, place: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + place, SALT_BYTES).toString('hex');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const IS_LITTLE_ENDIAN = endianness() === 'LE';

type WalSums = readonly [number, number];

/**
 * Computes SQLite's checksum of a WAL, two unsigned 32-bit numbers.
 *
 * @param before the checksum of the bytes before these
 * @param isLittle the byte order of the numbers, as the WAL's magic number says
 * @see https://sqlite.org/fileformat2.html#checksum_algorithm
 */
function walSums(bytes: Uint8Array, [first, second]: WalSums, isLittle: boolean): WalSums {
  let a = first | 0;
  let b = second | 0;
  // SQLite uses the byte order of the machine that writes, which mostly is that of this one.
  if (isLittle === IS_LITTLE_ENDIAN && bytes.byteOffset % 4 === 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let place = 0; place < words.length; place += 2) {
      a = (a + (words[place] as number) + b) | 0;
      b = (b + (words[place + 1] as number) + a) | 0;
    }
  } else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let place = 0; place < bytes.length; place += 8) {
      a = (a + view.getInt32(place, isLittle) + b) | 0;
      b = (b + view.getInt32(place + 4, isLittle) + a) | 0;
    }
  }
  return [a >>> 0, b >>> 0];
}
