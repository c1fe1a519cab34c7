import type { Database } from '../../sqlite/open.ts';

/** The row of `writer_commit`: the writer's last commit. */
export interface CommitRow {
  readonly ordinal: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

const LEAF_OF_TABLE = 0x0d;
const LEAF_HEADER_BYTES = 8;
/** The columns `id`, `ordinal`, `at_ms`, with sessions `session_ordinal`: numbers. Then `outcomes`, text or null. */
const COLUMNS_MIN = 3;
const NUMBERS_MAX = 4;
const COLUMNS_MAX = 5;
const TEXT_TYPE_MIN = 13;
/** Enough for any number that occurs in a page. */
const VARINT_MAX_BYTES = 4;
/** Type of the first column: as the row's key it is stored as NULL. */
const NULL_TYPE = 0;
/** Bytes of an integer by its serial type; the types 8 and 9 are the constants 0 and 1. */
const INTEGER_BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0 };
/** A page with an earlier time is not the writer's; 0 means that there was no commit yet. */
const TIME_MIN_MS = Date.UTC(2000, 0);

/** @returns the page that has the row of `writer_commit`; undefined for a database without that table */
export function commitPageOf(db: Database): number | undefined {
  return db
    .prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'writer_commit'")
    .pluck()
    .get();
}

/**
 * Reads a page as if it were that of `writer_commit`. Which page that is, only the restored database tells.
 *
 * @returns undefined for a page that cannot be it
 * @see https://sqlite.org/fileformat2.html#b_tree_pages
 */
export function commitRowIn(page: Uint8Array): CommitRow | undefined {
  if (page[0] !== LEAF_OF_TABLE || page[3] !== 0 || page[4] !== 1) return undefined;
  const cell = ((page[LEAF_HEADER_BYTES] as number) << 8) | (page[LEAF_HEADER_BYTES + 1] as number);
  let place = cell;
  const next = (): number => {
    const [value, end] = varint(page, place);
    place = end;
    return value;
  };
  next(); // its size
  const key = next();
  const headerAt = place;
  const headerEnd = headerAt + next();
  const types: number[] = [];
  while (place < headerEnd && types.length <= COLUMNS_MAX) types.push(next());
  if (key !== 1 || types.length < COLUMNS_MIN || types.length > COLUMNS_MAX) return undefined;
  const [id, ...others] = types;
  const numbers = others.slice(0, NUMBERS_MAX - 1);
  if (id !== NULL_TYPE || !others.slice(NUMBERS_MAX - 1).every(isTextOrNull)) return undefined;
  const values: number[] = [];
  for (const type of numbers) {
    const size = INTEGER_BYTES[type];
    if (size === undefined || place + size > page.length) return undefined;
    values.push(type >= 8 ? type - 8 : integer(page, place, size));
    place += size;
  }
  const [ordinal = 0, atMs = 0] = values;
  return ordinal >= 0 && (atMs === 0 || atMs > TIME_MIN_MS) ? { ordinal, atMs } : undefined;
}

function isTextOrNull(type: number): boolean {
  return type === NULL_TYPE || (type >= TEXT_TYPE_MIN && type % 2 === 1);
}

/** @returns a variable-length integer of at most VARINT_MAX_BYTES, and where it ends */
function varint(page: Uint8Array, at: number): readonly [number, number] {
  let value = 0;
  let place = at;
  for (; place < at + VARINT_MAX_BYTES; place += 1) {
    const byte = page[place] ?? 0;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) break;
  }
  return [value, place + 1];
}

function integer(page: Uint8Array, place: number, size: number): number {
  const bytes = Buffer.from(page.buffer, page.byteOffset + place, size);
  return size === 8 ? Number(bytes.readBigInt64BE()) : bytes.readIntBE(0, size);
}
