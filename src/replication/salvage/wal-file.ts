import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

/** https://sqlite.org/fileformat2.html#wal_file_format */
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit tells in which order the bytes of a word are summed up. */
const MAGIC = 0x377f0682;
const SALT_AT = 16;
const SUMS_AT = 24;
const FRAME_SALT_AT = 8;
const FRAME_SUMS_AT = 16;
/** Of a frame's header, what its checksum covers. */
const FRAME_SUMMED_BYTES = 8;
const SALT_MAX = 2 ** 32;
const IS_BIG_ENDIAN = endianness() === 'BE';

/** The image of one page, as a commit has written it. */
export interface Frame {
  /** The first one is 1. */
  readonly page: number;
  /** It is the last one of its commit. */
  readonly isCommit: boolean;
  readonly image: Buffer;
}

/** A WAL, or Litestream's copy of one. */
export interface WalFile {
  readonly path: string;
  readonly pageBytes: number;
  /** Of its header: the next WAL of the same database has a first one that is higher by one. */
  readonly salts: readonly [number, number];
  /** Up to where its commits are sound. */
  readonly soundBytes: number;
  /** Nothing but sound commits is in it. */
  readonly isWhole: boolean;
}

/** @returns what a file is; undefined when it is no WAL that holds a commit */
export function openWal(path: string): WalFile | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
    if (header.readUInt32BE(0) >>> 1 !== MAGIC >>> 1) return undefined;
    const sums = added([0, 0], header.subarray(0, SUMS_AT), isBigEndian(header));
    if (sums[0] !== header.readUInt32BE(SUMS_AT) || sums[1] !== header.readUInt32BE(SUMS_AT + 4))
      return undefined;
    const salts = [header.readUInt32BE(SALT_AT), header.readUInt32BE(SALT_AT + 4)] as const;
    const pageBytes = header.readUInt32BE(8);
    const frameBytes = FRAME_HEADER_BYTES + pageBytes;
    let frames = 0;
    let soundFrames = 0;
    for (const { isCommit } of framesIn(file, pageBytes)) {
      frames += 1;
      if (isCommit) soundFrames = frames;
    }
    if (soundFrames === 0) return undefined;
    const soundBytes = HEADER_BYTES + soundFrames * frameBytes;
    return { path, pageBytes, salts, soundBytes, isWhole: soundBytes === fstatSync(file).size };
  } finally {
    closeSync(file);
  }
}

/** @returns the sound frames of a WAL in their order; each image is good until the next */
export function* framesOf({ path, pageBytes, soundBytes }: WalFile): Generator<Frame> {
  const file = openSync(path, 'r');
  try {
    let left = (soundBytes - HEADER_BYTES) / (FRAME_HEADER_BYTES + pageBytes);
    for (const frame of framesIn(file, pageBytes)) {
      if (left === 0) return;
      left -= 1;
      yield frame;
    }
  } finally {
    closeSync(file);
  }
}

/** @returns whether SQLite begins `next` when the database itself has everything of `wal` */
export function isNextOf(wal: WalFile, next: WalFile): boolean {
  return next.salts[0] === (wal.salts[0] + 1) % SALT_MAX && next.pageBytes === wal.pageBytes;
}

/** @returns whether two are copies of one WAL, of which one may have more */
export function isSameWal(a: WalFile, b: WalFile): boolean {
  return a.salts[0] === b.salts[0] && a.salts[1] === b.salts[1];
}

/** Up to the first frame that is not of this WAL, or whose checksum is wrong. */
function* framesIn(file: number, pageBytes: number): Generator<Frame> {
  const header = Buffer.alloc(HEADER_BYTES);
  readSync(file, header, 0, HEADER_BYTES, 0);
  const isBig = isBigEndian(header);
  let sums: Sums = [header.readUInt32BE(SUMS_AT), header.readUInt32BE(SUMS_AT + 4)];
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes);
  const image = frame.subarray(FRAME_HEADER_BYTES);
  for (let at = HEADER_BYTES; readSync(file, frame, 0, frame.length, at) === frame.length; ) {
    at += frame.length;
    if (header.compare(frame, FRAME_SALT_AT, FRAME_SUMS_AT, SALT_AT, SUMS_AT) !== 0) return;
    sums = added(added(sums, frame.subarray(0, FRAME_SUMMED_BYTES), isBig), image, isBig);
    if (sums[0] !== frame.readUInt32BE(FRAME_SUMS_AT)) return;
    if (sums[1] !== frame.readUInt32BE(FRAME_SUMS_AT + 4)) return;
    yield { page: frame.readUInt32BE(0), isCommit: frame.readUInt32BE(4) !== 0, image };
  }
}

type Sums = readonly [number, number];

/** https://sqlite.org/fileformat2.html#checksum_algorithm */
function added([first, second]: Sums, bytes: Buffer, isBig: boolean): Sums {
  // SQLite sums up in the order of the machine that writes: mostly this one.
  const words = isBig === IS_BIG_ENDIAN ? bytes : Buffer.from(bytes).swap32();
  const view = new Uint32Array(words.buffer, words.byteOffset, words.length / 4);
  let a = first;
  let b = second;
  for (let at = 0; at < view.length; at += 2) {
    a = (a + view[at]! + b) | 0;
    b = (b + view[at + 1]! + a) | 0;
  }
  return [a >>> 0, b >>> 0];
}

function isBigEndian(header: Buffer): boolean {
  return (header.readUInt32BE(0) & 1) === 1;
}
