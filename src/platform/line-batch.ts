import { Buffer } from 'node:buffer';
import { constants, fstatSync, openSync, readFileSync, write, writeSync } from 'node:fs';
import pino, { type DestinationStream } from 'pino';

export const STANDARD_OUTPUT = 1;
export const STANDARD_ERROR = 2;
/** A pipe takes writes up to this size in one piece, so lines of several processes never mix. */
const PIPE_BUF_BYTES = 4096;
/** So does a file that is opened for append, whatever the size; each write to it takes a thread. */
const APPEND_MAX_BYTES = 64 * 1024;
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
 * Standard output for a logger: a write for every line of a busy process would cost more than the line. (Or standard error,
 * for what children say there.) A batch is
 * empty → waiting (the first line) → passed (it is full, the time is up, or a line is a warning or an error) → written. An
 * exit writes what waits; a SIGKILL takes at most the last BATCH_MS along. A slow reader or disk never blocks the event loop, and
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

  /** Where the output stood when the write that is under way began. */
  #position: string | undefined;

  readonly #output: Output;
  readonly #textOf: (line: string) => string;

  /** @param textOf makes of pino's line what is written */
  constructor(textOf: (line: string) => string = (line) => line, fd: number = STANDARD_OUTPUT) {
    this.#textOf = textOf;
    this.#output = openWithoutWaiting(fd);
    process.once('exit', () => {
      this.#queue();
      this.#writeRest();
    });
  }

  write(line: string): void {
    this.#add(this.#textOf(line));
    // An exit follows what is fatal, and writes it.
    if (this.lastLevel >= WARN && this.lastLevel < FATAL) this.#pass();
    else this.#wait();
  }

  /** Takes a line that is as it shall be written, and no warning. */
  writeAsIs(line: string): void {
    this.#add(line);
    this.#wait();
  }

  #add(text: string): void {
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > this.#output.writeMaxBytes) this.#pass();
    this.#text += text;
    this.#bytes += bytes;
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => this.#pass(), BATCH_MS).unref();
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
    if (!this.#output.canBlock) this.#writeNow();
    const next = this.#waiting[0];
    this.#isWriting = next !== undefined;
    if (next === undefined || !this.#output.canBlock) return;
    if (this.#output.hasPosition) this.#position = positionOf(this.#output.fd);
    write(this.#output.fd, next, (error, written) => {
      if (error) return this.#failed(error);
      this.#took(written);
      this.#writeNext();
    });
  }

  /** For an output that never blocks: a thread would cost several times as much as the write itself. */
  #writeNow(): void {
    try {
      while (this.#waiting[0]) this.#took(writeSync(this.#output.fd, this.#waiting[0]));
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException);
    }
  }

  #failed({ code }: NodeJS.ErrnoException): void {
    if (code === 'EAGAIN') this.#retry = setTimeout(() => this.#writeNext(), RETRY_MS).unref();
    else this.#isWriting = false;
  }

  #took(bytes: number): void {
    const [first = Buffer.alloc(0)] = this.#waiting;
    this.#waitingBytes -= bytes;
    if (bytes < first.length) this.#waiting[0] = first.subarray(bytes);
    else this.#waiting.shift();
  }

  /** At the exit. */
  #writeRest(): void {
    const deadlineMs = performance.now() + EXIT_PATIENCE_MS;
    if (this.#isWriting && !this.#retry) {
      // A thread has that one, and what follows it must not overtake it.
      this.#awaitWrite(deadlineMs);
      this.#waiting.shift();
    }
    while (this.#waiting[0] && performance.now() < deadlineMs) {
      try {
        this.#took(writeSync(this.#output.fd, this.#waiting[0]));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        sleep(RETRY_MS);
      }
    }
  }

  /** At the exit, when no callback is called any more. */
  #awaitWrite(deadlineMs: number): void {
    if (!this.#output.hasPosition) {
      sleep(RETRY_MS);
      return;
    }
    while (positionOf(this.#output.fd) === this.#position && performance.now() < deadlineMs) sleep(1);
  }
}

interface Output {
  readonly fd: number;
  readonly canBlock: boolean;
  /** Whether each write moves it on, so that it tells that one is over. */
  readonly hasPosition: boolean;
  /** What a write may have so that lines of several processes never mix. */
  readonly writeMaxBytes: number;
}

/**
 * A write that waits for a pipe that nobody reads, or for a terminal that is stopped (Ctrl-S), would hold a thread of
 * Node's for as long, and with it the exit of the process, which waits for its threads.
 *
 * @returns standard output, whose writes fail with EAGAIN instead; a file as it is, since one opened anew would be written
 *   from its beginning, unless it is written at its end anyway
 */
function openWithoutWaiting(fd: number): Output {
  const asItIs = { fd, canBlock: true, hasPosition: false, writeMaxBytes: PIPE_BUF_BYTES };
  try {
    const stat = fstatSync(fd);
    if (stat.isFile()) return openFile(asItIs);
    // Opened anew, so that whoever has the same pipe or terminal still waits as it did.
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    if (!stat.isSocket()) {
      const own = openSync(pathOf(fd), O_WRONLY | O_NONBLOCK | O_NOCTTY);
      return { ...asItIs, fd: own, canBlock: false };
    }
  } catch {
    // No /proc, a terminal of another user, or a pipe without a reader.
  }
  // A socket cannot be opened anew. Node's stream makes it one that does not wait, but whoever shares it may undo that.
  void (fd === STANDARD_ERROR ? process.stderr : process.stdout);
  return asItIs;
}

function openFile(asItIs: Output): Output {
  const [, flags = '0'] = /^flags:\s+(\d+)$/m.exec(describe(asItIs.fd) ?? '') ?? [];
  if ((Number.parseInt(flags, 8) & constants.O_APPEND) === 0) return { ...asItIs, hasPosition: true };
  const forAppend = { ...asItIs, writeMaxBytes: APPEND_MAX_BYTES };
  try {
    // Its position is then moved by nobody else.
    const fd = openSync(pathOf(asItIs.fd), constants.O_WRONLY | constants.O_APPEND);
    return { ...forAppend, fd, hasPosition: true };
  } catch {
    // Another user's file.
    return { ...forAppend, hasPosition: true };
  }
}

function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

function positionOf(fd: number): string | undefined {
  return /^pos:\s+(\d+)$/m.exec(describe(fd) ?? '')?.[1];
}

/** @returns what Linux tells of an open file; undefined elsewhere */
function describe(fd: number): string | undefined {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  } catch {
    return undefined;
  }
}

function sleep(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
