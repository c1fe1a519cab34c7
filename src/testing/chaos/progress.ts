/** How often something is said where there is no terminal to overwrite a line on. */
const PLAIN_INTERVAL_MS = 10_000;

/** Says on standard error what goes on: one line that is written over on a terminal, plain lines elsewhere. */
export class ChaosProgress {
  readonly #isTerminal = process.stderr.isTTY === true;
  #current = '';
  #lastPlainMs = 0;

  /** @param place such as `3/18` */
  show(place: string, trial: string, text: string): void {
    const line = `[${place}] ${trial}: ${text}`;
    if (this.#isTerminal) {
      process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
      return;
    }
    const nowMs = performance.now();
    if (trial === this.#current && nowMs - this.#lastPlainMs < PLAIN_INTERVAL_MS) return;
    this.#current = trial;
    this.#lastPlainMs = nowMs;
    process.stderr.write(`${line}\n`);
  }

  /** Writes a line that stays. */
  note(text: string): void {
    this.clear();
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}
