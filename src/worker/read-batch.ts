import type { Database, Statement } from 'better-sqlite3';

const RETRY_MS = 10;

interface Step {
  readonly db: Database;
  readonly begin: Statement;
  readonly commit: Statement;
}

/**
 * Has the requests that arrive in one turn of the event loop read in one transaction: SQLite's locks are calls of the kernel, and
 * cost more than the reads themselves. A batch is: none → gathering (`join`, while Node reads from sockets) → open (that
 * is over; who has joined goes on) → none (they have done what they do without waiting). The transaction begins when all
 * of a batch have arrived, so each reads what was committed before it was sent; and nothing that waits, such as for a write,
 * goes on within it, so a request reads what it has written.
 */
export class ReadBatch {
  readonly #steps: readonly Step[];
  #gathering: Promise<void> | undefined;
  /** While one could not be ended. */
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
      // Right behind it, and behind all that its resolution sets off.
      setImmediate(() => this.#end());
    });
    return this.#gathering;
  }

  #retried(): void {
    this.#retry = undefined;
    this.#end();
  }

  #end(): void {
    // An error of SQLite's may have ended one.
    const left = this.#steps.filter(({ db, commit }) => db.inTransaction && !ran(commit));
    if (left.length > 0) this.#retry ??= setTimeout(() => this.#retried(), RETRY_MS).unref();
  }
}

/** @returns false while a handler goes through rows and waits between them: its connection takes nothing else then */
function ran(statement: Statement): boolean {
  try {
    statement.run();
    return true;
  } catch {
    return false;
  }
}
