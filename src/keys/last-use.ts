import type { Logger } from 'pino';

/** The precision of a key's last use. */
const PRECISION_MS = 60_000;
const FLUSH_MS = 5000;

/**
 * Collects when keys are used, and writes it at most once a minute for each key: many keys in one write, and seconds
 * after their requests, so that it costs those nothing. When a worker dies, its collected uses are lost; the next use
 * is recorded. States: idle → collecting (`note`) → idle (timer).
 */
export class LastUse {
  readonly #write: (uses: { id: string; atMs: number }[]) => Promise<unknown>;
  readonly #log: Logger;
  readonly #used = new Map<string, number>();

  constructor(write: (uses: { id: string; atMs: number }[]) => Promise<unknown>, log: Logger) {
    this.#write = write;
    this.#log = log;
  }

  /** Records a use of a key. @param lastUsedAtMs the last use that the database has */
  note(id: string, lastUsedAtMs: number | null, nowMs: number): void {
    if (nowMs - (lastUsedAtMs ?? 0) < PRECISION_MS || this.#used.has(id)) return;
    this.#used.set(id, nowMs);
    if (this.#used.size === 1) setTimeout(() => this.#flush(), FLUSH_MS).unref();
  }

  #flush(): void {
    const uses = [...this.#used].map(([id, atMs]) => ({ id, atMs }));
    this.#used.clear();
    // When the write is refused, the next use of the key is written; the guard does not depend on it.
    this.#write(uses).catch((err) => this.#log.debug({ err }, 'the last use of keys was not noted'));
  }
}
