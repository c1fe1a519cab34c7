import type { Database, Statement } from 'better-sqlite3';
import type { Outcome, WireOutcomes } from '../writer-client/protocol.ts';
import { CommitCounter } from './commit-counter.ts';

/** Maximum number of outcomes that are kept in the row of the commit. */
const ROW_OUTCOMES_MAX = 8;
/** Maximum size of the outcomes in that row, so that it stays, with its other columns, on one page of 4096 bytes. */
const ROW_MAX_BYTES = 3500;

type Outcomes = Map<number, Outcome>;

/**
 * Remembers the outcome of each operation until its client confirms it, so that an operation that is sent again after a
 * crash is answered, and not applied again. The ledger is written in the same commit whose outcomes it holds. While all
 * outcomes fit, they are in the row that counts the commit, so that a single write costs no further page. Otherwise
 * each client has one row: a few kilobytes for each commit, however many operations it carries.
 *
 * States of an outcome: staged (`stage`, inside the committer's open transaction) → held (`hold`, after the commit) →
 * gone (`confirm` by the client, or `forget` when the client will not come back). No clock decides: a clock that is set
 * forward while the writer restarts must not expire an outcome that a client is about to ask for.
 */
export class Ledger {
  readonly #held = new Map<string, Outcomes>();
  readonly #save: Statement;
  readonly #delete: Statement;
  readonly #counter: CommitCounter;
  /** Clients that have their own row. The outcomes of all other clients are in the row of the last commit. */
  #withRow = new Set<string>();
  /** `#withRow` as it will be once the open transaction has committed. */
  #withRowStaged = new Set<string>();

  /**
   * @param db the writer's connection; the ledger of the previous writer is read from it
   * @param session random, new for each activation of a writer
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

  /** @returns the clients whose outcomes are held; after a start, the clients that may come back */
  get clients(): Iterable<string> {
    return this.#held.keys();
  }

  /** @returns the outcome of an operation that was applied and not yet confirmed */
  find(client: string, seq: number): Outcome | undefined {
    return this.#held.get(client)?.get(seq);
  }

  /** Drops outcomes that the client has received. */
  confirm(client: string, seqs: readonly number[]): void {
    const held = this.#held.get(client);
    if (held) for (const seq of seqs) held.delete(seq);
  }

  /** Drops all outcomes of a client that will not come back. The next commit removes them from the database. */
  forget(client: string): void {
    this.#held.delete(client);
  }

  /** Inside the transaction of a batch: writes its outcomes, and counts the commit. */
  stage(batch: ReadonlyMap<string, Outcomes>, nowMs: number): void {
    const all = this.#with(batch);
    const inCommit = commitText(all);
    const isOwnRow = (client: string) => (all.get(client)?.size ?? 0) > 0;
    this.#withRowStaged = new Set(inCommit === null ? [...all.keys()].filter(isOwnRow) : []);
    for (const client of this.#withRow) if (!this.#withRowStaged.has(client)) this.#delete.run(client);
    for (const client of this.#withRowStaged) {
      // This client is not in the batch and has its row already. The row may still hold outcomes that were confirmed
      // since.
      if (!batch.has(client) && this.#withRow.has(client)) continue;
      this.#save.run(client, JSON.stringify([...all.get(client)!]));
    }
    this.#counter.count(nowMs, inCommit);
  }

  /** Takes over the outcomes that `stage` wrote, after the transaction has committed. */
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

/** @returns the outcomes for the row of the commit, as JSON; null when they do not fit */
function commitText(all: ReadonlyMap<string, Outcomes>): string | null {
  const kept = [...all].filter(([, outcomes]) => outcomes.size > 0);
  if (kept.reduce((sum, [, { size }]) => sum + size, 0) > ROW_OUTCOMES_MAX) return null;
  const text = JSON.stringify(kept.map(([client, outcomes]) => [client, [...outcomes]]));
  return Buffer.byteLength(text) <= ROW_MAX_BYTES ? text : null;
}
