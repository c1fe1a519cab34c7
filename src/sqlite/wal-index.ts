import { openSync, readSync } from 'node:fs';
import { Failure } from '../platform/errors.ts';

/** The header of SQLite's wal-index, https://sqlite.org/walformat.html#the_wal_index_header; native byte order. */
const HEADER_BYTES = 48;
/** The checkpoint information follows two copies of the header. */
const BACKFILL_AT = 2 * HEADER_BYTES;
/** Up to which frame each of the readers' locks lets its holders read. */
const MARKS_AT = BACKFILL_AT + 4;
const MARKS = 5;
const READ_BYTES = MARKS_AT + 4 * MARKS;
const PAGE_SIZE_AT = 14;
const MAX_FRAME_AT = 16;
const SALT_AT = 32;
const SALT_BYTES = 8;
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The page size 65,536 does not fit its field. */
const PAGE_SIZE_OF_1_BYTES = 65_536;

/** The end of the last commit in a database's WAL. */
export interface WalPosition {
  /** The salts of the WAL's header, in hex: a WAL that is begun anew has others. */
  readonly salt: string;
  readonly offsetBytes: number;
}

/** Beside the position, how much of this WAL has been copied into the database. */
export interface WalState extends WalPosition {
  readonly frames: number;
  readonly backfilledFrames: number;
  /** The readers' marks: the last frame that those who hold the lock of a mark can read. */
  readonly marks: readonly number[];
}

/** A commit writes both copies of the header within nanoseconds; the rest is for a writer that was just suspended. */
const SETTLED_TRIES_MAX = 10_000;

/** Reads where the last commit of a database ends in its WAL. */
export class WalIndex {
  readonly #file: number;
  readonly #header = Buffer.alloc(READ_BYTES);
  readonly #view = new DataView(this.#header.buffer, this.#header.byteOffset, READ_BYTES);

  /**
   * @param databasePath a database that this process has open in WAL mode
   */
  constructor(databasePath: string) {
    // Never closed: closing any descriptor of this file would drop SQLite's own locks on it (POSIX fcntl).
    this.#file = openSync(`${databasePath}-shm`, 'r');
  }

  /** @returns the position after this process's last commit; only the one writer may ask, between its commits */
  read(): WalState {
    readSync(this.#file, this.#header, 0, READ_BYTES, 0);
    return this.#state();
  }

  /**
   * As `read`, for a process that is not the writer: the writer may be in the middle of a commit.
   * @throws Failure internal when the header does not settle: the writer has stopped in the middle of writing it
   */
  readSettled(): WalState {
    for (let tries = 0; tries < SETTLED_TRIES_MAX; tries += 1) {
      readSync(this.#file, this.#header, 0, READ_BYTES, 0);
      if (this.#header.compare(this.#header, HEADER_BYTES, BACKFILL_AT, 0, HEADER_BYTES) === 0)
        return this.#state();
    }
    throw new Failure('internal', 'The position in the WAL cannot be read: its header is half-written');
  }

  #state(): WalState {
    const pageSize = this.#view.getUint16(PAGE_SIZE_AT, true);
    const pageBytes = pageSize === 1 ? PAGE_SIZE_OF_1_BYTES : pageSize;
    const frames = this.#view.getUint32(MAX_FRAME_AT, true);
    return {
      salt: this.#header.toString('hex', SALT_AT, SALT_AT + SALT_BYTES),
      offsetBytes: WAL_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + pageBytes),
      frames,
      backfilledFrames: this.#view.getUint32(BACKFILL_AT, true),
      marks: Array.from({ length: MARKS }, (_, mark) => this.#view.getUint32(MARKS_AT + 4 * mark, true)),
    };
  }
}
