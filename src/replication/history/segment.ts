import type { SegmentRef } from '../../messages/confirmation.ts';

const HEX_DIGITS = 8;
const LTX_FILE = /^[0-9a-f]{16}-([0-9a-f]{16})\.ltx$/;

/** Litestream 0.5 has no generations: its history is one. */
export const LTX_GENERATION = 'ltx';

/** @returns the name of its file in the replica, as Litestream 0.3 has it; such names are in the order of the WALs */
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

/** @returns which of the files of Litestream 0.5 reaches furthest, and to which transaction; undefined where there is none */
export function newestTxid(
  files: readonly string[],
): { readonly file: string; readonly txid: number } | undefined {
  const found = files.flatMap((file) => {
    const [, last] = LTX_FILE.exec(file) ?? [];
    return last === undefined ? [] : { file, txid: Number.parseInt(last, 16) };
  });
  return found.sort((a, b) => a.txid - b.txid).at(-1);
}

/** @returns what names the state that Litestream 0.5 has uploaded up to a transaction */
export function txidName(txid: number): string {
  return `ltx-${txid}`;
}
