import type { SegmentRef } from '../../messages/confirmation.ts';

const HEX_DIGITS = 8;
const LTX_FILE = /^[0-9a-f]{16}-([0-9a-f]{16})\.ltx$/;

/** Stands for the generation in Litestream 0.5, which has one history and no generations. */
export const LTX_GENERATION = 'ltx';

/** @returns the name of a segment's file in a replica of Litestream 0.3; these names sort in the order of the WALs */
export function segmentFile({ index, offsetBytes }: Omit<SegmentRef, 'generation'>): string {
  return `${hex(index)}_${hex(offsetBytes)}.wal.lz4`;
}

/** @returns which segment a file in a replica is; undefined for another kind of file */
export function segmentOf(generation: string, file: string): SegmentRef | undefined {
  const found = /^([0-9a-f]{8})_([0-9a-f]{8})\.wal\.lz4$/.exec(file);
  if (!found) return undefined;
  const [, index = '', offset = ''] = found;
  return { generation, index: Number.parseInt(index, 16), offsetBytes: Number.parseInt(offset, 16) };
}

/** @returns below 0 when `a` is before `b` in one generation, 0 when they begin at one place */
export function compareSegments(
  a: Omit<SegmentRef, 'generation'>,
  b: Omit<SegmentRef, 'generation'>,
): number {
  return a.index - b.index || a.offsetBytes - b.offsetBytes;
}

function hex(value: number): string {
  return value.toString(16).padStart(HEX_DIGITS, '0');
}

/** @returns the file of Litestream 0.5 that reaches furthest, with its last transaction; undefined without any */
export function newestTxid(
  files: readonly string[],
): { readonly file: string; readonly txid: number } | undefined {
  const found = files.flatMap((file) => {
    const [, last] = LTX_FILE.exec(file) ?? [];
    return last === undefined ? [] : { file, txid: Number.parseInt(last, 16) };
  });
  return found.sort((a, b) => a.txid - b.txid).at(-1);
}

/** @returns the name of the state that Litestream 0.5 has uploaded up to a transaction */
export function txidName(txid: number): string {
  return `ltx-${txid}`;
}
