import { openSync, readSync } from 'node:fs';
import { Failure } from '../platform/errors.ts';

/** The header of SQLite's wal-index, https://sqlite.org/walformat.html#the_wal_index_header; native byte order. */
const HEADER_BYTES = 48;
/** The checkpoint information follows two copies of the header. */
const BACKFILL_AT = 2 * HEADER_BYTES;
/** The read marks: up to which frame the holders of each read lock can read. */
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
  /** The salts of the WAL's header, in hex. They change when the WAL restarts. */
  readonly salt: string;
  readonly offsetBytes: number;
}

/** The position, and how much of this WAL has been copied into the database. */
export interface WalState extends WalPosition {
  readonly frames: number;
  readonly backfilledFrames: number;
  /** The read marks: the last frame that the holders of each read lock can read. */
  readonly marks: readonly number[];
}

/** A commit writes both copies of the header within nanoseconds. More tries serve a writer that was just suspended. */
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

  /** @returns the state after this process's last commit; to be called by the writer alone, between its commits */
  read(): WalState {
    readSync(this.#file, this.#header, 0, READ_BYTES, 0);
    return this.#state();
  }

  /**
   * Does the same as `read` in another process, while the writer may be in the middle of a commit.
   * @throws Failure internal when the two copies of the header stay different: the writer stopped while writing them
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
