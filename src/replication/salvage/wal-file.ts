import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  FRAME_HEADER_BYTES,
  FRAME_SALT_AT,
  PAGE_SIZE_AT,
  SALT_AT,
  WAL_HEADER_BYTES,
  WAL_MAGIC,
  type WalSums,
  walSums,
} from '../wal-format.ts';

const SUMS_AT = 24;
const FRAME_SUMS_AT = 16;
/** Of a frame's header, what its checksum covers. */
const FRAME_SUMMED_BYTES = 8;
const SALT_MAX = 2 ** 32;

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
    const header = Buffer.alloc(WAL_HEADER_BYTES);
    if (readSync(file, header, 0, WAL_HEADER_BYTES, 0) < WAL_HEADER_BYTES) return undefined;
    if (header.readUInt32BE(0) >>> 1 !== WAL_MAGIC >>> 1) return undefined;
    const sums = walSums(header.subarray(0, SUMS_AT), [0, 0], isLittle(header));
    if (sums[0] !== header.readUInt32BE(SUMS_AT) || sums[1] !== header.readUInt32BE(SUMS_AT + 4))
      return undefined;
    const salts = [header.readUInt32BE(SALT_AT), header.readUInt32BE(SALT_AT + 4)] as const;
    const pageBytes = header.readUInt32BE(PAGE_SIZE_AT);
    const frameBytes = FRAME_HEADER_BYTES + pageBytes;
    let frames = 0;
    let soundFrames = 0;
    for (const { isCommit } of framesIn(file, pageBytes)) {
      frames += 1;
      if (isCommit) soundFrames = frames;
    }
    if (soundFrames === 0) return undefined;
    const soundBytes = WAL_HEADER_BYTES + soundFrames * frameBytes;
    return { path, pageBytes, salts, soundBytes, isWhole: soundBytes === fstatSync(file).size };
  } finally {
    closeSync(file);
  }
}

/** @returns the sound frames of a WAL in their order; each image is good until the next */
export function* framesOf({ path, pageBytes, soundBytes }: WalFile): Generator<Frame> {
  const file = openSync(path, 'r');
  try {
    let left = (soundBytes - WAL_HEADER_BYTES) / (FRAME_HEADER_BYTES + pageBytes);
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
  const header = Buffer.alloc(WAL_HEADER_BYTES);
  readSync(file, header, 0, WAL_HEADER_BYTES, 0);
  const isLittleEndian = isLittle(header);
  let sums: WalSums = [header.readUInt32BE(SUMS_AT), header.readUInt32BE(SUMS_AT + 4)];
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes);
  const image = frame.subarray(FRAME_HEADER_BYTES);
  for (let at = WAL_HEADER_BYTES; readSync(file, frame, 0, frame.length, at) === frame.length; ) {
    at += frame.length;
    if (header.compare(frame, FRAME_SALT_AT, FRAME_SUMS_AT, SALT_AT, SUMS_AT) !== 0) return;
    sums = walSums(frame.subarray(0, FRAME_SUMMED_BYTES), sums, isLittleEndian);
    sums = walSums(image, sums, isLittleEndian);
    if (sums[0] !== frame.readUInt32BE(FRAME_SUMS_AT)) return;
    if (sums[1] !== frame.readUInt32BE(FRAME_SUMS_AT + 4)) return;
    yield { page: frame.readUInt32BE(0), isCommit: frame.readUInt32BE(4) !== 0, image };
  }
}

function isLittle(header: Buffer): boolean {
  return (header.readUInt32BE(0) & 1) === 0;
}
