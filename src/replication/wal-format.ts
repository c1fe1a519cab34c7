import { endianness } from 'node:os';

/** https://sqlite.org/fileformat2.html#the_write_ahead_log; numbers are big endian. */
export const WAL_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
/** With the lowest bit set its checksums are of big-endian numbers. */
export const WAL_MAGIC = 0x377f0682;
/** In the header of a WAL. */
export const PAGE_SIZE_AT = 8;
export const SALT_AT = 16;
/** In the header of a frame. */
export const FRAME_SALT_AT = 8;
export const SALT_BYTES = 8;

const IS_LITTLE_ENDIAN = endianness() === 'LE';

export type WalSums = readonly [number, number];

/**
 * SQLite's checksum of a WAL, as two numbers of 32 bits without a sign.
 *
 * @param before that of what stands before these bytes
 * @param isLittle the order of the bytes in each number, as the WAL's magic number has it
 * @see https://sqlite.org/fileformat2.html#checksum_algorithm
 */
export function walSums(bytes: Uint8Array, [first, second]: WalSums, isLittle: boolean): WalSums {
  let a = first | 0;
  let b = second | 0;
  // SQLite takes the order of the machine that writes: mostly this one.
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
