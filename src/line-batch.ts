import { Buffer } from 'node:buffer';
import pino, { type DestinationStream } from 'pino';

/** A pipe takes writes up to this size in one piece, so lines of several processes never mix. */
const PIPE_BUF_BYTES = 4096;
/** How long a line waits for others to share its write. */
const BATCH_MS = 10;
const WARN = pino.levels.values.warn!;
/** Has pino tell the level of each line. */
const METADATA: unique symbol = Symbol.for('pino.metadata');

/**
 * Standard output for a logger: a write for every line of a busy process would cost more than the line. A batch is
 * empty → waiting (the first line) → written (it is full, the time is up, or a line is a warning or worse). An exit
 * writes what waits; a SIGKILL takes at most the last BATCH_MS along. A slow reader never blocks the event loop.
 */
export class LineBatch implements DestinationStream {
  readonly [METADATA] = true;
  /** Of the line that `write` gets next; set by pino. */
  lastLevel = 0;
  readonly #stream = pino.destination({ fd: 1, sync: false, maxWrite: PIPE_BUF_BYTES });
  #text = '';
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    process.once('exit', () => {
      this.#pass();
      this.#stream.flushSync();
    });
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > PIPE_BUF_BYTES) this.#pass();
    this.#text += line;
    this.#bytes += bytes;
    if (this.lastLevel >= WARN) this.#pass();
    else this.#timer ??= setTimeout(() => this.#pass(), BATCH_MS).unref();
  }

  flush(done?: (error?: Error) => void): void {
    this.#pass();
    this.#stream.flush(done);
  }

  #pass(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#bytes === 0) return;
    this.#stream.write(this.#text);
    this.#text = '';
    this.#bytes = 0;
  }
}
