import { LTX_GENERATION } from '../history/segment.ts';
import type { Generation } from './generations.ts';

/** One file of a replica that a Litestream of version 0.5 writes. */
export interface LtxRow {
  /** How often it was merged; the highest is for snapshots. */
  readonly level: number;
  /** The first transaction in it, 16 hex digits. */
  readonly minTxid: string;
  readonly sizeBytes: number;
  /** When its newest transaction was made. */
  readonly createdMs: number;
}

const SNAPSHOT_LEVEL = 9;
const FIRST_TXID = '0000000000000001';

/**
 * @returns what such a replica holds of one database: one unbroken history, shown as one generation; none when there is no
 *   file
 */
export function ltxGeneration(rows: readonly LtxRow[]): readonly Generation[] {
  if (rows.length === 0) return [];
  const isBase = ({ level, minTxid }: LtxRow) => level === SNAPSHOT_LEVEL || minTxid === FIRST_TXID;
  const bases = rows.filter(isBase).sort((a, b) => a.createdMs - b.createdMs);
  const sumBytes = (all: readonly LtxRow[]) => all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const snapshots = bases.map(({ createdMs, sizeBytes }, index) => {
    // What was merged stands there twice for a while, so this is no more than a good guess.
    const later = rows.filter((row) => row.level === 1 && row.createdMs > createdMs);
    return { index, createdMs, sizeBytes, walBytes: sumBytes(later), usableFromMs: createdMs };
  });
  return [
    {
      name: LTX_GENERATION,
      fromMs: bases[0]?.createdMs,
      toMs: rows.reduce((last, { createdMs }) => Math.max(last, createdMs), 0),
      snapshots,
      segments: rows.length - bases.length,
      sizeBytes: sumBytes(rows),
    },
  ];
}
