/** How often something is said where there is no terminal to overwrite a line on. */
const PLAIN_INTERVAL_MS = 10_000;

/** What goes on, on standard error: one line that is written over again and again, or at no terminal a line now and then. */
export class Progress {
  readonly #isTerminal = process.stderr.isTTY === true;
  #topic = '';
  #lastPlainMs = Number.NEGATIVE_INFINITY;

  /**
   * Shows `text` in place of what stood there.
   * @param topic what is said of another one is said at once
   */
  show(text: string, topic = ''): void {
    if (this.#isTerminal) {
      process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
      return;
    }
    const nowMs = performance.now();
    if (topic === this.#topic && nowMs - this.#lastPlainMs < PLAIN_INTERVAL_MS) return;
    this.#topic = topic;
    this.note(text);
  }

  /** Writes a line that stays, in a file too. */
  note(text: string): void {
    this.clear();
    this.#lastPlainMs = performance.now();
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}
