import type { Database } from '../../sqlite/open.ts';

/** The row of `writer_commit`: the writer's last commit. */
export interface CommitRow {
  readonly ordinal: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

const LEAF_OF_TABLE = 0x0d;
const LEAF_HEADER_BYTES = 8;
/** `id`, `ordinal`, `at_ms`, and since sessions are known `session_ordinal`. */
const COLUMNS_MIN = 3;
const COLUMNS_MAX = 4;
/** Where the first column, the key of its row, stands for itself. */
const NULL_TYPE = 0;
/** Bytes of a whole number, by its type; 8 and 9 are the numbers 0 and 1. */
const INTEGER_BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0 };
/** The last commit was made in this century, or never. */
const TIME_MIN_MS = Date.UTC(2000, 0);

/** @returns the page of a database that has the row; undefined where none is counted */
export function commitPageOf(db: Database): number | undefined {
  return db
    .prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'writer_commit'")
    .pluck()
    .get();
}

/**
 * Tells what a page would say if it were that of `writer_commit`; which page that is, only the restored database knows.
 *
 * @returns undefined for a page that cannot be it
 * @see https://sqlite.org/fileformat2.html#b_tree_pages
 */
export function commitRowIn(page: Uint8Array): CommitRow | undefined {
  if (page[0] !== LEAF_OF_TABLE || page[3] !== 0 || page[4] !== 1) return undefined;
  const cell = ((page[LEAF_HEADER_BYTES] as number) << 8) | (page[LEAF_HEADER_BYTES + 1] as number);
  // Its size, its key (always 1), and the size of its header take a byte each.
  const [, key, headerBytes = 0] = page.subarray(cell, cell + 3);
  const columns = headerBytes - 1;
  if (key !== 1 || columns < COLUMNS_MIN || columns > COLUMNS_MAX) return undefined;
  const types = page.subarray(cell + 3, cell + 3 + columns);
  if (types[0] !== NULL_TYPE) return undefined;
  const values: number[] = [];
  let place = cell + 3 + columns;
  for (const type of types.subarray(1)) {
    const size = INTEGER_BYTES[type];
    if (size === undefined || place + size > page.length) return undefined;
    values.push(type >= 8 ? type - 8 : integer(page, place, size));
    place += size;
  }
  const [ordinal = 0, atMs = 0] = values;
  return ordinal >= 0 && (atMs === 0 || atMs > TIME_MIN_MS) ? { ordinal, atMs } : undefined;
}

function integer(page: Uint8Array, place: number, size: number): number {
  const bytes = Buffer.from(page.buffer, page.byteOffset + place, size);
  return size === 8 ? Number(bytes.readBigInt64BE()) : bytes.readIntBE(0, size);
}
