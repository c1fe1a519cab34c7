import { StringDecoder } from 'node:string_decoder';

/**
 * Cuts a stream of bytes into lines of a bounded length. States and who moves them: collecting → skipping (a line
 * exceeds the bound: its beginning is passed on, and its rest is dropped) → collecting (its line end).
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #maxChars: number;
  readonly #onLine: (line: string) => void;
  #rest = '';
  #skipping = false;

  /**
   * @param maxChars the longest line that is passed on whole
   * @param onLine gets each line without its line end; empty lines are left out
   */
  constructor(maxChars: number, onLine: (line: string) => void) {
    this.#maxChars = maxChars;
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** Passes on the last line, if it has no line end. */
  end(): void {
    this.#take(this.#decoder.end());
    this.#emit(this.#rest);
    this.#rest = '';
  }

  #take(text: string): void {
    const pieces = text.split('\n');
    pieces.forEach((piece, index) => {
      const isComplete = index < pieces.length - 1;
      if (!this.#skipping) this.#rest += piece;
      if (isComplete || this.#rest.length > this.#maxChars) {
        this.#emit(this.#rest);
        this.#rest = '';
        this.#skipping = !isComplete;
      }
    });
  }

  #emit(line: string): void {
    if (this.#skipping) return;
    const bounded = line.length > this.#maxChars ? line.slice(0, this.#maxChars) : line.trimEnd();
    if (bounded !== '') this.#onLine(bounded);
  }
}
