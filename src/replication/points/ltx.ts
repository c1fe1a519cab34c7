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

/** Gathers what such a replica holds of one database. It is one unbroken history, shown as one generation. */
export class LtxCollector {
  readonly #rows: LtxRow[] = [];

  file(row: LtxRow): void {
    this.#rows.push(row);
  }

  /** @returns it; none when there is no file */
  collected(): Generation[] {
    if (this.#rows.length === 0) return [];
    const isBase = ({ level, minTxid }: LtxRow) => level === SNAPSHOT_LEVEL || minTxid === FIRST_TXID;
    const bases = this.#rows.filter(isBase).sort((a, b) => a.createdMs - b.createdMs);
    const sumBytes = (rows: readonly LtxRow[]) => rows.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const snapshots = bases.map(({ createdMs, sizeBytes }, index) => {
      // What was merged stands there twice for a while, so this is no more than a good guess.
      const later = this.#rows.filter((row) => row.level === 1 && row.createdMs > createdMs);
      return { index, createdMs, sizeBytes, walBytes: sumBytes(later), usableFromMs: createdMs };
    });
    return [
      {
        name: 'ltx',
        fromMs: bases[0]?.createdMs,
        toMs: Math.max(...this.#rows.map(({ createdMs }) => createdMs)),
        snapshots,
        segments: this.#rows.length - bases.length,
        sizeBytes: sumBytes(this.#rows),
      },
    ];
  }
}
