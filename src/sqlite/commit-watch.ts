import { openSync, readSync } from 'node:fs';
import type { Database } from './open.ts';

/** Both copies of the header of SQLite's wal-index, https://sqlite.org/walformat.html#the_wal_index_header */
const HEADER_BYTES = 48;
const BOTH_BYTES = 2 * HEADER_BYTES;

/**
 * Tells whether a database may have another content than when it was asked last, for a third of what the smallest
 * statement costs, `PRAGMA data_version` among them. A commit becomes visible to readers by another header of the
 * wal-index, so whoever has heard that a write is committed finds another one. State: the header as it was found last; none
 * behind one that was half-written, so that the next look finds a difference.
 */
export class CommitWatch {
  readonly #file: number | undefined;
  readonly #found = Buffer.alloc(BOTH_BYTES);
  readonly #known = Buffer.alloc(BOTH_BYTES);

  /** @param db a connection that has read: it then has the wal-index open */
  constructor(db: Database) {
    this.#file = openIndex(`${db.name}-shm`);
  }

  /** @returns whether anything may have been committed since the last call; true at the first, and where that is not to be seen */
  mayHaveChanged(): boolean {
    if (this.#file === undefined) return true;
    const bytes = readSync(this.#file, this.#found, 0, BOTH_BYTES, 0);
    if (bytes === BOTH_BYTES && this.#found.equals(this.#known)) return false;
    const isWhole =
      bytes === BOTH_BYTES &&
      this.#found.compare(this.#found, HEADER_BYTES, BOTH_BYTES, 0, HEADER_BYTES) === 0;
    if (isWhole) this.#found.copy(this.#known);
    else this.#known.fill(0);
    return true;
  }
}

function openIndex(path: string): number | undefined {
  try {
    // Never closed: closing any descriptor of this file would drop SQLite's own locks on it (POSIX fcntl).
    return openSync(path, 'r');
  } catch {
    // A copy on which a release is tried has no WAL.
    return undefined;
  }
}
