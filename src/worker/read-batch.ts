import type { Database, Statement } from 'better-sqlite3';

const RETRY_MS = 10;

interface Step {
  readonly db: Database;
  readonly begin: Statement;
  readonly commit: Statement;
}

/**
 * Lets the requests that arrive in one turn of the event loop read in one transaction. Why: each lock of SQLite is a
 * system call, and costs more than the read itself.
 *
 * States: none → gathering (`join`, while Node reads from sockets) → open (transactions begin; the requests that have
 * joined go on) → none (transactions end, after the synchronous part of these requests).
 *
 * The transaction begins after all requests of the batch have arrived, so each reads what was committed before it was
 * sent. It ends before any code that waits, such as for a write, continues, so a request reads its own writes.
 */
export class ReadBatch {
  readonly #steps: readonly Step[];
  #gathering: Promise<void> | undefined;
  /** Set while a transaction could not be ended. */
  #retry: NodeJS.Timeout | undefined;

  /** @param databases read-only connections */
  constructor(databases: Iterable<Database>) {
    this.#steps = [...databases].map((db) => ({
      db,
      begin: db.prepare('BEGIN'),
      commit: db.prepare('COMMIT'),
    }));
  }

  /** Resolves when a request that has arrived may read. */
  join(): Promise<void> {
    this.#gathering ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#gathering = undefined;
        this.#end();
        for (const { db, begin } of this.#steps) if (!db.inTransaction) ran(begin);
        resolve();
      });
      // Runs right after the above, and after all the microtasks that its resolution starts.
      setImmediate(() => this.#end());
    });
    return this.#gathering;
  }

  #retried(): void {
    this.#retry = undefined;
    this.#end();
  }

  #end(): void {
    // An error of SQLite may have ended a transaction already.
    const left = this.#steps.filter(({ db, commit }) => db.inTransaction && !ran(commit));
    if (left.length > 0) this.#retry ??= setTimeout(() => this.#retried(), RETRY_MS).unref();
  }
}

/** @returns false while a handler iterates over rows and waits between them: its connection is then busy */
function ran(statement: Statement): boolean {
  try {
    statement.run();
    return true;
  } catch {
    return false;
  }
}
