/** One line on standard error that is written over again and again, on a terminal only. */
export class Progress {
  readonly #isTerminal = process.stderr.isTTY === true;

  /** Shows `text` in place of what stood there. */
  show(text: string): void {
    if (this.#isTerminal) process.stderr.write(`\r\x1b[K${text.slice(0, process.stderr.columns ?? 80)}`);
  }

  /** Writes a line that stays, in a file too. */
  note(text: string): void {
    this.clear();
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}
