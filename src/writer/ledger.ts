import type { Database, Statement } from 'better-sqlite3';
import type { Outcome, WireOutcomes } from '../writer-client/protocol.ts';
import { CommitCounter } from './commit-counter.ts';

/** More than so many are not tried to be kept in the row. */
const ROW_OUTCOMES_MAX = 8;
/** What a row may have and stay on its page of 4096 bytes, with its other columns. */
const ROW_MAX_BYTES = 3500;

type Outcomes = Map<number, Outcome>;

/**
 * Remembers what became of each operation until its client confirms that it knows, so that an operation sent
 * again after a crash is answered, not applied again. It is written in the very commit whose outcomes it holds: while it is
 * little, all of it in the row that counts the commit, so that a lone write pays no page for it; else one row a client, a
 * few kilobytes a commit, however many operations it carries.
 *
 * An outcome is in one of three places: staged by the committer inside an open transaction, held here once that
 * has committed, gone once the client has confirmed it, or will not come back. No clock has a say in that: one that
 * is set forwards while a writer restarts must not make an outcome old that a client is about to ask for.
 */
export class Ledger {
  readonly #held = new Map<string, Outcomes>();
  readonly #save: Statement;
  readonly #delete: Statement;
  readonly #counter: CommitCounter;
  /** Clients that have a row of their own; all others that are held are in that of the last commit. */
  #withRow = new Set<string>();
  /** As it will be once the transaction has committed. */
  #withRowStaged = new Set<string>();

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
      this.#withRow.add(client);
    }
    const inCommit = db.prepare<[], string | null>('SELECT outcomes FROM writer_commit').pluck().get();
    for (const [client, outcomes] of JSON.parse(inCommit ?? '[]') as [string, WireOutcomes][]) {
      this.#held.set(client, new Map(outcomes));
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

  /** Drops everything of a client that will not come back; what is written of it goes with the next commit. */
  forget(client: string): void {
    this.#held.delete(client);
  }

  /** Writes the outcomes of a batch, and that there was one more commit, inside its transaction. */
  stage(batch: ReadonlyMap<string, Outcomes>, nowMs: number): void {
    const all = this.#with(batch);
    const inCommit = commitText(all);
    const isOwnRow = (client: string) => (all.get(client)?.size ?? 0) > 0;
    this.#withRowStaged = new Set(inCommit === null ? [...all.keys()].filter(isOwnRow) : []);
    for (const client of this.#withRow) if (!this.#withRowStaged.has(client)) this.#delete.run(client);
    for (const client of this.#withRowStaged) {
      // That of another is there already, with what it may have confirmed since.
      if (!batch.has(client) && this.#withRow.has(client)) continue;
      this.#save.run(client, JSON.stringify([...all.get(client)!]));
    }
    this.#counter.count(nowMs, inCommit);
  }

  /** Takes over what `stage` wrote, after its transaction has committed. */
  hold(batch: ReadonlyMap<string, Outcomes>): void {
    for (const [client, outcomes] of batch) {
      const held = this.#held.get(client);
      if (held) for (const [seq, outcome] of outcomes) held.set(seq, outcome);
      else this.#held.set(client, outcomes);
    }
    this.#withRow = this.#withRowStaged;
    this.#counter.committed();
  }

  #with(batch: ReadonlyMap<string, Outcomes>): Map<string, Outcomes> {
    const all = new Map(this.#held);
    for (const [client, outcomes] of batch) {
      const held = all.get(client);
      all.set(client, held ? new Map([...held, ...outcomes]) : outcomes);
    }
    return all;
  }
}

/** @returns what the row of the commit gets; null where that is too much */
function commitText(all: ReadonlyMap<string, Outcomes>): string | null {
  const kept = [...all].filter(([, outcomes]) => outcomes.size > 0);
  if (kept.reduce((sum, [, { size }]) => sum + size, 0) > ROW_OUTCOMES_MAX) return null;
  const text = JSON.stringify(kept.map(([client, outcomes]) => [client, [...outcomes]]));
  return Buffer.byteLength(text) <= ROW_MAX_BYTES ? text : null;
}
