import type { Database, Statement } from 'better-sqlite3';

/**
 * Tells whether a database may have another content than when it was asked last, by the number that SQLite changes for a
 * connection with each commit of another, https://sqlite.org/pragma.html#pragma_data_version. Within a transaction it
 * tells of what that reads. State: the number as it was last.
 */
export class CommitWatch {
  readonly #version: Statement<[], number>;
  #known: number | undefined;

  /** @param db a connection that does not write */
  constructor(db: Database) {
    this.#version = db.prepare<[], number>('PRAGMA data_version').pluck();
  }

  /** @returns whether anything was committed since the last call; true at the first */
  mayHaveChanged(): boolean {
    const version = this.#version.get();
    const mayHaveChanged = version !== this.#known;
    this.#known = version;
    return mayHaveChanged;
  }
}
