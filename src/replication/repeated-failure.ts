/** A working Litestream repeats its error about once a second. Without one this recent nothing is done. */
const RECENT_MS = 5000;
/** The time between remedies doubles up to this. */
const PATIENCE_MAX_MS = 5 * 60_000;

/** The failure of a database since its last upload. */
interface Failing {
  lastMs: number;
  reason: string;
  /** When the next remedy is due. */
  dueMs: number;
  /** How many remedies there were. */
  steps: number;
}

/** What to do about a repeated failure: first a restart of Litestream, then a new generation. */
export interface Remedy {
  readonly kind: 'restart' | 'renew';
  /** Undefined where Litestream does not name the database. */
  readonly database: string | undefined;
  readonly reason: string;
}

/**
 * Notices that Litestream fails again and again at the same database while the store is there: its files on this disk
 * do not fit, and it would go on like that for ever.
 *
 * States of a database: well → failing (`failed`) → well (`arrived`: something of it was uploaded; `reset`: the store
 * is away).
 */
export class RepeatedFailure {
  readonly #patienceMs: number;
  readonly #failing = new Map<string, Failing>();

  /** @param patienceMs how long a database may fail before the first remedy */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** @param database undefined where Litestream does not name it */
  failed(database: string | undefined, reason: string, nowMs: number): void {
    const key = database ?? '';
    const failing = this.#failing.get(key);
    if (failing) Object.assign(failing, { lastMs: nowMs, reason });
    else {
      const dueMs = nowMs + this.#patienceMs;
      this.#failing.set(key, { lastMs: nowMs, reason, dueMs, steps: 0 });
    }
  }

  arrived(database: string): void {
    this.#failing.delete(database);
    this.#failing.delete('');
  }

  reset(): void {
    this.#failing.clear();
  }

  /** @returns the remedy that is due now; undefined when none is */
  look(nowMs: number): Remedy | undefined {
    for (const [key, failing] of this.#failing) {
      const { dueMs, lastMs, reason } = failing;
      if (nowMs < dueMs || nowMs - lastMs > RECENT_MS) continue;
      failing.steps += 1;
      failing.dueMs = nowMs + Math.min(PATIENCE_MAX_MS, this.#patienceMs * 2 ** (failing.steps - 1));
      return { kind: failing.steps === 1 ? 'restart' : 'renew', database: key || undefined, reason };
    }
    return undefined;
  }
}
