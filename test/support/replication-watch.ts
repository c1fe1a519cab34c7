import type { Confirmation } from '../../src/messages/confirmation.ts';
import type { Database } from '../../src/sqlite/open.ts';
import { WalIndex } from '../../src/sqlite/wal-index.ts';
import { Lag } from '../../src/writer/lag.ts';

const POLL_MS = 20;

/** Knows of one database which of its commits the replica holds, as the writer does. */
export class ReplicationWatch {
  readonly #lag = new Lag();
  readonly #walIndex: WalIndex;

  /** @param db the connection that commits */
  constructor(db: Database) {
    this.#walIndex = new WalIndex(db.name);
  }

  /** To be called after each commit. */
  committed(): void {
    const mark = { session: undefined, ordinal: 0, atMs: 0 };
    this.#lag.committed(this.#walIndex.read(), mark, performance.now());
  }

  confirmed(confirmation: Confirmation): void {
    this.#lag.confirmed(confirmation);
  }

  /** @returns whether the replica gets everything committed so far in time */
  async whenReplicated(timeoutMs: number): Promise<boolean> {
    this.committed();
    const { sequence } = this.#lag;
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#lag.confirmedSequence < sequence) {
      if (performance.now() > deadlineMs) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return true;
  }
}
