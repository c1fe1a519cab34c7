const PLAIN_INTERVAL_MS = 10_000;

/** What goes on, on standard error: one line that is written over again and again, or at no terminal a line now and then. */
export class Progress {
  readonly #isTerminal = process.stderr.isTTY === true;
  #lastMs = 0;

  /** Shows `text` in place of what stood there. */
  show(text: string): void {
    if (this.#isTerminal) process.stderr.write(`\r\x1b[K${text.slice(0, process.stderr.columns ?? 80)}`);
    else if (performance.now() - this.#lastMs >= PLAIN_INTERVAL_MS) this.note(text);
  }

  /** Writes a line that stays, in a file too. */
  note(text: string): void {
    this.clear();
    this.#lastMs = performance.now();
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}
