/** Without a terminal, whose line can be overwritten, a line is written at most this often. */
const PLAIN_INTERVAL_MS = 10_000;

/** Shows the progress on standard error: on a terminal one line that is overwritten, otherwise a line now and then. */
export class Progress {
  readonly #isTerminal = process.stderr.isTTY === true;
  #topic = '';
  #lastPlainMs = Number.NEGATIVE_INFINITY;

  /**
   * Shows `text` in place of the text before.
   * @param topic without a terminal, a text with a new topic is written at once
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
