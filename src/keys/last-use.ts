import type { Logger } from 'pino';

/** A key's time of use is told to this much. */
const PRECISION_MS = 60_000;
const FLUSH_MS = 5000;

/**
 * Collects when keys are used, and writes it at most once a minute a key, many keys in one write and long after their
 * requests, so that it costs those nothing. States: idle → collecting (`note`) → idle (timer). What a worker that dies
 * has collected is lost, and noted with the next use.
 */
export class LastUse {
  readonly #write: (uses: { id: string; atMs: number }[]) => Promise<unknown>;
  readonly #log: Logger;
  readonly #used = new Map<string, number>();

  constructor(write: (uses: { id: string; atMs: number }[]) => Promise<unknown>, log: Logger) {
    this.#write = write;
    this.#log = log;
  }

  /** @param lastUsedAtMs as the database has it */
  note(id: string, lastUsedAtMs: number | null, nowMs: number): void {
    if (nowMs - (lastUsedAtMs ?? 0) < PRECISION_MS || this.#used.has(id)) return;
    this.#used.set(id, nowMs);
    if (this.#used.size === 1) setTimeout(() => this.#flush(), FLUSH_MS).unref();
  }

  #flush(): void {
    const uses = [...this.#used].map(([id, atMs]) => ({ id, atMs }));
    this.#used.clear();
    // A write that is refused now comes with the next use; the guard does not depend on it.
    this.#write(uses).catch((err) => this.#log.debug({ err }, 'the last use of keys was not noted'));
  }
}
