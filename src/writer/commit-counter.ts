import type { Database, Statement } from 'better-sqlite3';
import { OLDER_SESSION_PREFIX } from '../replication/history/history.ts';

/**
 * Counts the commits of one activation of a writer, each inside its transaction. The first commit opens the session of
 * this activation. Commits that an older release made without a session get one that is named so
 * (`OLDER_SESSION_PREFIX`).
 *
 * States: new (no commit yet) → open (`committed`).
 */
export class CommitCounter {
  readonly session: string;
  readonly #nameOlder: Statement;
  readonly #open: Statement;
  readonly #count: Statement;
  readonly #countWith: Statement;
  #isOpen = false;

  /**
   * @param db the writer's connection; its own tables must exist
   * @param session random, new for each activation of a writer
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
   * Counts one more commit, inside its transaction.
   * @param nowMs milliseconds since the epoch
   * @param outcomes the ledger's outcomes for the same row; when left out, those in the row stay
   */
  count(nowMs: number, outcomes?: string | null): void {
    if (!this.#isOpen) {
      this.#nameOlder.run();
      this.#open.run(this.session);
    }
    if (outcomes === undefined) this.#count.run(nowMs);
    else this.#countWith.run(nowMs, outcomes);
  }

  /** To be called when the transaction has committed. */
  committed(): void {
    this.#isOpen = true;
  }
}
