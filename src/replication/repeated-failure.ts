/** An uploader that is at work says what it cannot do about once a second. */
const RECENT_MS = 5000;
/** A restart that does not help is not repeated for ever at the same pace. */
const PATIENCE_MAX_MS = 5 * 60_000;

/** What the uploader cannot do, since it last got on with a database. */
interface Failing {
  lastMs: number;
  reason: string;
  /** When something is to be done about it. */
  dueMs: number;
  /** How often that was. */
  steps: number;
}

/** What to do about it: the first time a new uploader, then a new generation. */
export interface Remedy {
  readonly kind: 'restart' | 'renew';
  /** Undefined where the uploader does not say which one it is about. */
  readonly database: string | undefined;
  readonly reason: string;
}

/**
 * Notices an uploader that fails again and again at the same database, and gets nowhere, while the store is there: what
 * it has on this disk does not fit, and it would go on like that for ever. Each database is failing from the first
 * error (`failed`) until something of it arrives, or the store is away (`arrived`, `reset`).
 */
export class RepeatedFailure {
  readonly #patienceMs: number;
  readonly #failing = new Map<string, Failing>();

  /** @param patienceMs how long it may fail before something is done */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** @param database undefined where the uploader does not say which one it is about */
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

  /** @returns what is to be done now; undefined when nothing is */
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
