import { Buffer } from 'node:buffer';
import { constants, fstatSync, openSync, readFileSync, write, writeSync } from 'node:fs';
import pino, { type DestinationStream } from 'pino';

export const STANDARD_OUTPUT = 1;
export const STANDARD_ERROR = 2;
/** A write to a pipe is atomic up to this size, so lines of several processes never mix. */
const PIPE_BUF_BYTES = 4096;
/** A write to a file opened for append is atomic at any size; each takes a thread, so batches may be larger. */
const APPEND_MAX_BYTES = 64 * 1024;
/** How long a line waits for others to share its write. */
const BATCH_MS = 10;
/** Most bytes that wait for a slow reader, or for room on a full disk; further lines are lost. */
const WAITING_MAX_BYTES = 16 * 1024 * 1024;
/** Pause before a write to a slow reader is tried again, and how long an exit keeps trying. */
const RETRY_MS = 10;
const EXIT_PATIENCE_MS = 2000;
const WARN = pino.levels.values.warn!;
const FATAL = pino.levels.values.fatal!;
/** Makes pino set `lastLevel` for each line. */
const METADATA: unique symbol = Symbol.for('pino.metadata');

/**
 * Standard output for a logger (or standard error, for the output of children). Lines are written in batches: in a busy
 * process one write for each line would cost more than the line.
 *
 * States of a batch: empty → waiting (the first line) → passed (it is full, its time is up, or a line is a warning or
 * an error) → written. An exit writes what waits. A SIGKILL loses at most the last BATCH_MS.
 *
 * A slow reader or disk never blocks the event loop. An output that fails, such as a file on a full disk, ends no
 * process: the service matters more than its log, and the next batch tries again. (pino's own sonic-boom ends the
 * process on the first error, and tries for ever at the exit.)
 */
export class LineBatch implements DestinationStream {
  readonly [METADATA] = true;
  /** The level of the line that `write` gets next; set by pino. */
  lastLevel = 0;
  #text = '';
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Batches that are passed, but not written yet. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  /** Set while a write to a slow reader waits to be tried again. */
  #retry: NodeJS.Timeout | undefined;

  /** The position of the output when the current write began. */
  #position: string | undefined;

  readonly #output: Output;
  readonly #textOf: (line: string) => string;

  /** @param textOf turns pino's line into the text that is written */
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
    // A fatal line is followed by an exit, which writes it.
    if (this.lastLevel >= WARN && this.lastLevel < FATAL) this.#pass();
    else this.#wait();
  }

  /** Takes a finished line, which is no warning. */
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

  /** Calls back at once: to be followed by an exit, which writes what waits. */
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

  /** For an output that never blocks: a write on a thread would cost several times as much. */
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

  /** Writes what waits, at the exit. */
  #writeRest(): void {
    const deadlineMs = performance.now() + EXIT_PATIENCE_MS;
    if (this.#isWriting && !this.#retry) {
      // A thread is writing the first batch, and the next ones must not overtake it.
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

  /** Waits for the write of a thread, at the exit, when callbacks are no longer called. */
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
  /** Whether the position changes with each write, by which its end is seen. */
  readonly hasPosition: boolean;
  /** Largest write that is atomic, so that lines of several processes never mix. */
  readonly writeMaxBytes: number;
}

/**
 * Opens the output so that writes do not block. A blocking write to a pipe that nobody reads, or to a stopped terminal
 * (Ctrl-S), would hold a thread of Node.js, and with it the exit of the process, which waits for its threads.
 *
 * @returns an output whose writes fail with EAGAIN instead. A file is used as it is, unless it is opened for append: a
 *   reopened file would be written from its beginning.
 */
function openWithoutWaiting(fd: number): Output {
  const asItIs = { fd, canBlock: true, hasPosition: false, writeMaxBytes: PIPE_BUF_BYTES };
  try {
    const stat = fstatSync(fd);
    if (stat.isFile()) return openFile(asItIs);
    // Reopened, so that O_NONBLOCK does not change other processes that share the pipe or terminal.
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    if (!stat.isSocket()) {
      const own = openSync(pathOf(fd), O_WRONLY | O_NONBLOCK | O_NOCTTY);
      return { ...asItIs, fd: own, canBlock: false };
    }
  } catch {
    // There is no /proc, the terminal belongs to another user, or the pipe has no reader.
  }
  // A socket cannot be reopened. Node's stream makes it non-blocking, but a process that shares it may undo that.
  void (fd === STANDARD_ERROR ? process.stderr : process.stdout);
  return asItIs;
}

function openFile(asItIs: Output): Output {
  const [, flags = '0'] = /^flags:\s+(\d+)$/m.exec(describe(asItIs.fd) ?? '') ?? [];
  if ((Number.parseInt(flags, 8) & constants.O_APPEND) === 0) return { ...asItIs, hasPosition: true };
  const forAppend = { ...asItIs, writeMaxBytes: APPEND_MAX_BYTES };
  try {
    // Reopened, so that no other process moves its position.
    const fd = openSync(pathOf(asItIs.fd), constants.O_WRONLY | constants.O_APPEND);
    return { ...forAppend, fd, hasPosition: true };
  } catch {
    // The file belongs to another user.
    return { ...forAppend, hasPosition: true };
  }
}

function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

function positionOf(fd: number): string | undefined {
  return /^pos:\s+(\d+)$/m.exec(describe(fd) ?? '')?.[1];
}

/** @returns Linux's fdinfo of an open file; undefined on other systems */
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
