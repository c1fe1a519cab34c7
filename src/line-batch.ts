import { Buffer } from 'node:buffer';
import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import pino, { type DestinationStream } from 'pino';

export const STANDARD_OUTPUT = 1;
/** A pipe takes writes up to this size in one piece, so lines of several processes never mix. */
const PIPE_BUF_BYTES = 4096;
/** How long a line waits for others to share its write. */
const BATCH_MS = 10;
/** What waits for a slow reader, or for room on a full disk; more is lost. */
const WAITING_MAX_BYTES = 16 * 1024 * 1024;
/** How soon a reader that took nothing is tried again, and how long an exit does so. */
const RETRY_MS = 10;
const EXIT_PATIENCE_MS = 2000;
const WARN = pino.levels.values.warn!;
const FATAL = pino.levels.values.fatal!;
/** Has pino tell the level of each line. */
const METADATA: unique symbol = Symbol.for('pino.metadata');

/**
 * Standard output for a logger: a write for every line of a busy process would cost more than the line. A batch is
 * empty → waiting (the first line) → passed (it is full, the time is up, or a line is a warning or an error) → written. An
 * exit writes what waits; a SIGKILL takes at most the last BATCH_MS along. A slow reader never blocks the event loop, and
 * an output that fails, such as a file on a full disk, ends nobody: the service is worth more than its log, and the next
 * batch tries again. (sonic-boom, which pino brings, ends the process on the first error, and tries for ever at its exit.)
 */
export class LineBatch implements DestinationStream {
  readonly [METADATA] = true;
  /** Of the line that `write` gets next; set by pino. */
  lastLevel = 0;
  #text = '';
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Passed, and not written yet. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  /** While a reader that took nothing is about to be tried again. */
  #retry: NodeJS.Timeout | undefined;

  readonly #fd = openWithoutWaiting();
  readonly #textOf: (line: string) => string;

  /** @param textOf makes of pino's line what is written */
  constructor(textOf: (line: string) => string = (line) => line) {
    this.#textOf = textOf;
    process.once('exit', () => {
      this.#queue();
      this.#writeRest();
    });
  }

  write(line: string): void {
    const text = this.#textOf(line);
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > PIPE_BUF_BYTES) this.#pass();
    this.#text += text;
    this.#bytes += bytes;
    // An exit follows what is fatal, and writes it.
    if (this.lastLevel >= WARN && this.lastLevel < FATAL) this.#pass();
    else this.#timer ??= setTimeout(() => this.#pass(), BATCH_MS).unref();
  }

  /** For whoever exits next, which writes what waits. */
  flush(done?: (error?: Error) => void): void {
    done?.();
  }

  #pass(): void {
    this.#queue();
    if (!this.#isWriting) this.#writeNext();
  }

  #queue(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#bytes === 0) return;
    if (this.#waitingBytes + this.#bytes <= WAITING_MAX_BYTES) {
      this.#waiting.push(Buffer.from(this.#text));
      this.#waitingBytes += this.#bytes;
    }
    this.#text = '';
    this.#bytes = 0;
  }

  #writeNext(): void {
    this.#retry = undefined;
    const next = this.#waiting[0];
    this.#isWriting = next !== undefined;
    if (next === undefined) return;
    write(this.#fd, next, (error, written) => {
      if (!error) {
        this.#took(written);
        this.#writeNext();
      } else if (error.code === 'EAGAIN') this.#retry = setTimeout(() => this.#writeNext(), RETRY_MS).unref();
      else this.#isWriting = false;
    });
  }

  #took(bytes: number): void {
    const [first = Buffer.alloc(0)] = this.#waiting;
    this.#waitingBytes -= bytes;
    if (bytes < first.length) this.#waiting[0] = first.subarray(bytes);
    else this.#waiting.shift();
  }

  /** At the exit. */
  #writeRest(): void {
    // The kernel has that one, or is about to.
    if (this.#isWriting && !this.#retry) this.#waiting.shift();
    const deadlineMs = performance.now() + EXIT_PATIENCE_MS;
    while (this.#waiting[0] && performance.now() < deadlineMs) {
      try {
        this.#took(writeSync(this.#fd, this.#waiting[0]));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  }
}

/**
 * A write that waits for a pipe that nobody reads, or for a terminal that is stopped (Ctrl-S), would hold a thread of
 * Node's for as long, and with it the exit of the process, which waits for its threads.
 *
 * @returns a descriptor of standard output whose writes fail with EAGAIN instead; a file's as it is, since a file opened
 *   anew would be written from its beginning
 */
function openWithoutWaiting(): number {
  try {
    const stat = fstatSync(STANDARD_OUTPUT);
    if (stat.isFile()) return STANDARD_OUTPUT;
    // Opened anew, so that whoever has the same pipe or terminal still waits as it did.
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    if (!stat.isSocket()) return openSync('/proc/self/fd/1', O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // No /proc, a terminal of another user, or a pipe without a reader.
  }
  // A socket cannot be opened anew. Node's stream makes it one that does not wait.
  void process.stdout;
  return STANDARD_OUTPUT;
}
