import type { DurableWrite } from '../clients/durable-writers.ts';

/** An acknowledged write. */
interface Told extends DurableWrite {
  /** The range of ordinals that its commit is in. */
  readonly fromOrdinal: number;
  readonly toOrdinal: number;
}

/** What a start made of the acknowledged writes, by key. */
export interface Judgement {
  readonly missingReplicated: readonly string[];
  readonly missingLocally: readonly string[];
  /** Missing writes that no event of the start names. */
  readonly unnamed: readonly string[];
  readonly unnamedReplicated: readonly string[];
  /** Present, although older writes are missing. */
  readonly mixed: readonly string[];
  /** Present again, although an operator had given them up. */
  readonly undone: readonly string[];
}

/** Keeps the acknowledged writes, and those that an operator has given up. */
export class Ledger {
  readonly #told = new Map<string, Told>();
  readonly #givenUp = new Set<string>();
  replicated = 0;
  local = 0;

  /** @param fromOrdinal of the first commit that the writes may be in; @param toOrdinal of the last one */
  add(writes: readonly DurableWrite[], fromOrdinal: number, toOrdinal: number): void {
    for (const write of writes) {
      if (write.promise === undefined) continue;
      this[write.promise] += 1;
      this.#told.set(write.key, { ...write, fromOrdinal, toOrdinal });
    }
  }

  /**
   * Compares a database with the ledger. A missing write is reported only once.
   * @param events the texts of the start's events
   */
  judge(present: ReadonlySet<string>, events: readonly string[]): Judgement {
    const named = events.flatMap(rangesIn);
    const missing = [...this.#told.values()].filter(({ key }) => !present.has(key));
    const oldestMs = Math.min(...missing.map(({ answeredAtMs }) => answeredAtMs));
    const unnamed = missing.filter(
      ({ fromOrdinal, toOrdinal }) => !named.some(({ from, to }) => from <= toOrdinal && to >= fromOrdinal),
    );
    const mixed = [...this.#told.values()].filter(
      ({ key, sentAtMs }) => present.has(key) && sentAtMs > oldestMs,
    );
    for (const { key } of missing) this.#told.delete(key);
    const isReplicated = ({ promise }: Told) => promise === 'replicated';
    return {
      missingReplicated: keysOf(missing.filter(isReplicated)),
      missingLocally: keysOf(missing.filter((write) => !isReplicated(write))),
      unnamed: keysOf(unnamed),
      unnamedReplicated: keysOf(unnamed.filter(isReplicated)),
      mixed: keysOf(mixed),
      undone: [...this.#givenUp].filter((key) => present.has(key)),
    };
  }

  /** An operator has decided to go on with the database as it is. */
  decide(present: ReadonlySet<string>): void {
    for (const { key } of [...this.#told.values()]) {
      if (present.has(key)) continue;
      this.#told.delete(key);
      this.#givenUp.add(key);
    }
    // The last decision counts.
    for (const key of [...this.#givenUp]) if (present.has(key)) this.#givenUp.delete(key);
  }

  /** @returns when the writes in the ledger were acknowledged, in milliseconds since the epoch, ascending */
  times(): readonly number[] {
    return [...this.#told.values()].map(({ answeredAtMs }) => answeredAtMs).sort((a, b) => a - b);
  }
}

/** Such as `commits 12 to 20` and `commit 12 (session …)`. */
function rangesIn(text: string): { readonly from: number; readonly to: number }[] {
  return [...text.matchAll(/\b(\d+) to (\d+)\b|\bcommit (\d+)\b/g)].map(([, from, to, only]) => ({
    from: Number(from ?? only),
    to: Number(to ?? only),
  }));
}

function keysOf(writes: readonly DurableWrite[]): string[] {
  return writes.map(({ key }) => key);
}
