import type { Database, Statement } from 'better-sqlite3';
import { CommitCounter } from './commit-counter.ts';
import type { Outcome, WireOutcomes } from './protocol.ts';

/**
 * Remembers what became of each operation until its client confirms that it knows, so that an operation sent
 * again after a crash is answered, not applied again. One row a client, rewritten in the very commit whose
 * outcomes it holds: a few kilobytes a commit, however many operations it carries.
 *
 * An outcome is in one of three places: staged by the committer inside an open transaction, held here once that
 * has committed, gone once the client has confirmed it, or will not come back. No clock has a say in that: one that
 * is set forwards while a writer restarts must not make an outcome old that a client is about to ask for.
 */
export class Ledger {
  readonly #held = new Map<string, Map<number, Outcome>>();
  readonly #save: Statement;
  readonly #delete: Statement;
  readonly #counter: CommitCounter;
  readonly #forgotten = new Set<string>();

  /**
   * @param db the writer's connection; rows of a writer that died are read from it
   * @param session random, of this activation of a writer
   */
  constructor(db: Database, session: string) {
    const rows = db.prepare<[], { client: string; outcomes: string }>(
      'SELECT client, outcomes FROM writer_ledger',
    );
    for (const { client, outcomes } of rows.iterate()) {
      this.#held.set(client, new Map(JSON.parse(outcomes) as WireOutcomes));
    }
    this.#save = db.prepare(
      `INSERT INTO writer_ledger (client, outcomes) VALUES (?, ?)
       ON CONFLICT (client) DO UPDATE SET outcomes = excluded.outcomes`,
    );
    this.#delete = db.prepare('DELETE FROM writer_ledger WHERE client = ?');
    this.#counter = new CommitCounter(db, session);
  }

  /** @returns those whose outcomes are held; after a start, those that may come back */
  get clients(): Iterable<string> {
    return this.#held.keys();
  }

  /** @returns the outcome of an operation that was applied and not yet confirmed */
  find(client: string, seq: number): Outcome | undefined {
    return this.#held.get(client)?.get(seq);
  }

  /** Drops outcomes that the client has told it knows. */
  confirm(client: string, seqs: readonly number[]): void {
    const held = this.#held.get(client);
    if (held) for (const seq of seqs) held.delete(seq);
  }

  /** Drops everything of a client that will not come back; its row goes with the next commit. */
  forget(client: string): void {
    if (this.#held.delete(client)) this.#forgotten.add(client);
  }

  /** Writes the outcomes of a batch, and that there was one more commit, inside its transaction. */
  stage(batch: ReadonlyMap<string, Map<number, Outcome>>, nowMs: number): void {
    for (const [client, outcomes] of batch) {
      const all = [...(this.#held.get(client) ?? []), ...outcomes];
      this.#save.run(client, JSON.stringify(all));
    }
    for (const client of this.#forgotten) this.#delete.run(client);
    this.#counter.count(nowMs);
  }

  /** Takes over what `stage` wrote, after its transaction has committed. */
  hold(batch: ReadonlyMap<string, Map<number, Outcome>>): void {
    for (const [client, outcomes] of batch) {
      const held = this.#held.get(client);
      if (held) for (const [seq, outcome] of outcomes) held.set(seq, outcome);
      else this.#held.set(client, outcomes);
    }
    this.#forgotten.clear();
    this.#counter.committed();
  }
}
