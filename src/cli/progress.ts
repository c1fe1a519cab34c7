/** Where progress is shown: standard error, so that standard output has only the result. */
export type Screen = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;

const TICK_MS = 200;

/**
 * Shows that long work goes on: at a terminal in one line with the seconds since its begin, elsewhere as a plain line
 * for each step. States: shown (constructed) → silent (`end`).
 */
export class Progress {
  readonly #screen: Screen;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #text: string;

  /** @param text what is under way, such as `reloading` */
  constructor(text: string, screen: Screen = process.stderr) {
    this.#text = text;
    this.#screen = screen;
    if (screen.isTTY) this.#timer = setInterval(() => this.#draw(), TICK_MS).unref();
    this.#draw();
  }

  step(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    this.#draw();
  }

  /** Clears the line for the next output. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#screen.isTTY) this.#screen.write('\r\u001b[K');
  }

  #draw(): void {
    if (!this.#screen.isTTY) {
      this.#screen.write(`${this.#text}\n`);
      return;
    }
    const seconds = Math.floor((performance.now() - this.#startedMs) / 1000);
    this.#screen.write(`\r\u001b[K${this.#text} … ${seconds} s`);
  }
}
