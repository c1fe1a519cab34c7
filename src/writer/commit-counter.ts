import type { Database, Statement } from 'better-sqlite3';
import { OLDER_SESSION_PREFIX } from '../replication/history/history.ts';

/**
 * Counts the commits of one activation of a writer, each inside its transaction. The first one opens the activation's
 * session, and names as an older release's what was committed without one. States: new (no commit yet) → open
 * (`committed`).
 */
export class CommitCounter {
  readonly session: string;
  readonly #nameOlder: Statement;
  readonly #open: Statement;
  readonly #count: Statement;
  readonly #countWith: Statement;
  #isOpen = false;

  /**
   * @param db the writer's connection, its own tables there
   * @param session random, of this activation
   */
  constructor(db: Database, session: string) {
    this.session = session;
    this.#nameOlder = db.prepare(
      `INSERT OR IGNORE INTO writer_session (session, first_ordinal)
       SELECT '${OLDER_SESSION_PREFIX}' || (session_ordinal + 1), session_ordinal + 1
       FROM writer_commit WHERE session_ordinal < ordinal`,
    );
    this.#open = db.prepare(
      `INSERT OR IGNORE INTO writer_session (session, first_ordinal) SELECT ?, ordinal + 1 FROM writer_commit`,
    );
    this.#count = db.prepare(
      'UPDATE writer_commit SET ordinal = ordinal + 1, session_ordinal = ordinal + 1, at_ms = ? WHERE id = 1',
    );
    this.#countWith = db.prepare(
      'UPDATE writer_commit SET ordinal = ordinal + 1, session_ordinal = ordinal + 1, at_ms = ?, outcomes = ? WHERE id = 1',
    );
  }

  /**
   * Writes that there is one more commit, inside its transaction.
   * @param nowMs milliseconds since the epoch
   * @param outcomes goes into the same row, as the ledger has it; left out, what is there stays
   */
  count(nowMs: number, outcomes?: string | null): void {
    if (!this.#isOpen) {
      this.#nameOlder.run();
      this.#open.run(this.session);
    }
    if (outcomes === undefined) this.#count.run(nowMs);
    else this.#countWith.run(nowMs, outcomes);
  }

  /** The transaction has committed. */
  committed(): void {
    this.#isOpen = true;
  }
}
