import type { Database, Statement } from 'better-sqlite3';

/**
 * Tells whether a database may have changed since the last call. It compares SQLite's data_version, which changes for a
 * connection with each commit of another one: https://sqlite.org/pragma.html#pragma_data_version. Within a transaction
 * it is that of the transaction's snapshot. State: the last number.
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
