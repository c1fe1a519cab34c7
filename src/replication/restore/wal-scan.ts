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
import { type CommitRow, commitRowIn } from './commit-row.ts';

const PAGE_MIN_BYTES = 512;
const PAGE_MAX_BYTES = 65_536;

/** What a WAL has of a page that may hold the writer's last commit, at the ends of its whole commits. */
export interface RowTrack {
  readonly first: CommitRow;
  readonly last: CommitRow;
  /** How often it changed. */
  readonly changes: number;
  /** The first commit that is later than asked for; undefined where there is none. */
  readonly later: LaterCommit | undefined;
}

export interface LaterCommit {
  readonly row: CommitRow;
  /** Where the commit before it ends. */
  readonly fromBytes: number;
}

/**
 * Reads one WAL from its beginning, and checks that each frame follows the one before: a frame's checksum is of all that
 * is before it too, so nothing can be missing in between.
 *
 * @see https://sqlite.org/fileformat2.html#the_write_ahead_log
 */
export class WalScan {
  readonly #untilMs: number;
  readonly #rows = new Map<number, RowTrack>();
  readonly #pending = new Map<number, CommitRow>();
  #rest: Uint8Array = new Uint8Array(0);
  #header: { readonly pageBytes: number; readonly isLittle: boolean; readonly salts: string } | undefined;
  #sums: WalSums = [0, 0];
  #readBytes = 0;
  #soundBytes = 0;

  /** @param untilMs commits after this time are told; milliseconds since the epoch */
  constructor(untilMs = Number.POSITIVE_INFINITY) {
    this.#untilMs = untilMs;
  }

  /** Where what follows has to begin. */
  get readBytes(): number {
    return this.#readBytes + this.#rest.length;
  }

  /** Where the last whole commit ends. */
  get soundBytes(): number {
    return this.#soundBytes;
  }

  /** Of each page that may be it. */
  get rows(): ReadonlyMap<number, RowTrack> {
    return this.#rows;
  }

  /**
   * @param bytes what follows those before
   * @throws Error why it does not follow
   */
  push(bytes: Uint8Array): void {
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
      if (this.#header) this.#frame(part, this.#header);
      else this.#begin(part);
      place += size;
      this.#readBytes += size;
    }
    this.#rest = source.slice(place);
  }

  #begin(bytes: Uint8Array): void {
    const view = viewOf(bytes);
    const magic = view.getUint32(0);
    const pageBytes = view.getUint32(PAGE_SIZE_AT);
    const isPageSize = pageBytes >= PAGE_MIN_BYTES && pageBytes <= PAGE_MAX_BYTES;
    if ((magic & ~1) >>> 0 !== WAL_MAGIC || !isPageSize) throw new Error('it is no WAL');
    const isLittle = (magic & 1) === 0;
    this.#sums = walSums(bytes.subarray(0, WAL_HEADER_BYTES - 8), [0, 0], isLittle);
    if (!this.#isSum(view, WAL_HEADER_BYTES - 8)) throw new Error('the header of its WAL is damaged');
    this.#header = {
      pageBytes,
      isLittle,
      salts: `${view.getUint32(SALT_AT)} ${view.getUint32(SALT_AT + 4)}`,
    };
    this.#soundBytes = WAL_HEADER_BYTES;
  }

  #frame(
    bytes: Uint8Array,
    { isLittle, salts }: { readonly isLittle: boolean; readonly salts: string },
  ): void {
    const view = viewOf(bytes);
    const isOfWal = `${view.getUint32(FRAME_SALT_AT)} ${view.getUint32(FRAME_SALT_AT + 4)}` === salts;
    this.#sums = walSums(bytes.subarray(0, 8), this.#sums, isLittle);
    this.#sums = walSums(bytes.subarray(FRAME_HEADER_BYTES), this.#sums, isLittle);
    if (!isOfWal || !this.#isSum(view, 16)) throw new Error('its frames do not follow those before');
    const page = view.getUint32(0);
    const row = commitRowIn(bytes.subarray(FRAME_HEADER_BYTES));
    if (row) this.#pending.set(page, row);
    else this.#pending.delete(page);
    const isCommit = view.getUint32(4) !== 0;
    if (!isCommit) return;
    for (const [each, one] of this.#pending) this.#note(each, one);
    this.#pending.clear();
    this.#soundBytes = this.#readBytes + bytes.length;
  }

  #note(page: number, row: CommitRow): void {
    const known = this.#rows.get(page);
    const isLater = row.atMs > this.#untilMs;
    this.#rows.set(page, {
      first: known?.first ?? row,
      last: row,
      changes: (known?.changes ?? 0) + 1,
      later: known?.later ?? (isLater ? { row, fromBytes: this.#soundBytes } : undefined),
    });
  }

  #isSum(view: DataView, place: number): boolean {
    return view.getUint32(place) === this.#sums[0] && view.getUint32(place + 4) === this.#sums[1];
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
