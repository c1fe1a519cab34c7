import { randomBytes } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import {
  type Hello,
  type Idempotency,
  monotonicNowMs,
  type Outcome,
  unwrap,
  type WireOperation,
  type WireOutcomes,
  WRITER_PROTOCOL,
  writerSocketPath,
} from './protocol.ts';

const RECONNECT_MS = 10;
const SWEEP_MS = 50;
/** After a deadline the writer replies that the write was not applied. A write without a reply by then is undecided. */
const DECISION_GRACE_MS = 1000;
/** Maximum number of blob bytes that wait in one process. */
const BLOB_QUEUE_MAX_BYTES = 128 * 1024 * 1024;

export interface WriteOptions {
  /** Bytes that are sent beside the input. */
  readonly blob?: Buffer | undefined;
  /** How long the answer may wait for the replica after the commit; 0, the default: it does not wait. */
  readonly replicatedTimeoutMs?: number;
  /** Names the write, so that it is applied once however often it is sent. */
  readonly idempotency?: Idempotency | undefined;
  /** Called before the answer, when the answer is that of an earlier write with the same Idempotency-Key. */
  readonly onReplay?: () => void;
}

interface Pending {
  readonly json: string;
  readonly blob: Buffer | undefined;
  /** By when the writer must have decided, on the monotonic clock. */
  deadlineMs: number;
  /** How long after the deadline the answer may still come. */
  readonly answerMs: number;
  sent: boolean;
  readonly onReplay: (() => void) | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Failure) => void;
}

export interface WriterClientOptions {
  readonly socketPath: string;
  /** Names this process among the writer's clients; made unique here. */
  readonly name: string;
  readonly deadlineMs: number;
  readonly queueMax: number;
  readonly log: Logger;
}

/**
 * @param config the settings of this process
 * @param options the name of this process among the writer's clients; and how many operations may wait, when that is
 *   not WRITE_QUEUE_MAX
 * @returns a client that is not connected yet
 */
export function writerClientOf(
  {
    DATA_DIR,
    WRITE_DEADLINE_MS,
    WRITE_QUEUE_MAX,
  }: Pick<Config, 'DATA_DIR' | 'WRITE_DEADLINE_MS' | 'WRITE_QUEUE_MAX'>,
  {
    name,
    log,
    queueMax = WRITE_QUEUE_MAX,
  }: Pick<WriterClientOptions, 'name' | 'log'> & { readonly queueMax?: number },
): WriterClient {
  const socketPath = writerSocketPath(DATA_DIR);
  return new WriterClient({ socketPath, name, deadlineMs: WRITE_DEADLINE_MS, queueMax, log });
}

/**
 * The connection of a process to the writer. It is opened by `connect`, not while the process stands by. When it
 * breaks, every sent operation waits again and goes to the next writer under the same number; its ledger knows the
 * operations that the dead writer had applied.
 *
 * States of an operation: waiting (not on the wire) → sent (flush) → decided (outcome). Waiting or sent → given up
 * (deadline; it does not run between `hold` and `go`).
 */
export class WriterClient {
  readonly #options: WriterClientOptions;
  readonly #id: string;
  readonly #pending = new Map<number, Pending>();
  #unsent: number[] = [];
  #acks: number[] = [];
  #blobBytes = 0;
  #seq = 0;
  #socket: Socket | undefined;
  #connected = false;
  #closed = false;
  #isHeld = false;
  #flushing = false;
  #lastHeardMs = Number.NEGATIVE_INFINITY;
  /** While anything is pending. */
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: WriterClientOptions) {
    this.#options = options;
    this.#id = `${options.name}-${process.pid}-${randomBytes(8).toString('hex')}`;
  }

  /** Connects, and reconnects whenever the connection breaks. Writes wait meanwhile. To be called once. */
  connect(): void {
    this.#open();
  }

  /**
   * @param name full name, `feature.command`
   * @param input as the command's schema expects it
   * @returns the command's value, once it is committed and on disk, and in the replica if that was asked for
   * @throws Failure writer_busy, writer_mismatch, write_timeout, write_undecided, replication_timeout, storage_full,
   *   storage_reserved, replica_in_use, not_ready, idempotency_in_progress, idempotency_mismatch, or the command's own
   */
  write(name: string, input: unknown, options: WriteOptions = {}): Promise<unknown> {
    const { blob, replicatedTimeoutMs = 0, idempotency, onReplay } = options;
    const blobBytes = blob?.length ?? 0;
    if (this.#pending.size >= this.#options.queueMax || this.#blobBytes + blobBytes > BLOB_QUEUE_MAX_BYTES) {
      return Promise.reject(
        new Failure('writer_busy', 'Too many writes are waiting', { retryAfterSeconds: 1 }),
      );
    }
    const seq = ++this.#seq;
    const deadlineMs = monotonicNowMs() + this.#options.deadlineMs;
    const operation: WireOperation = [seq, name, deadlineMs, input, blobBytes, replicatedTimeoutMs];
    if (idempotency) operation.push(idempotency);
    const json = JSON.stringify(operation);
    return new Promise((resolve, reject) => {
      const answerMs = replicatedTimeoutMs + DECISION_GRACE_MS;
      this.#pending.set(seq, { json, blob, deadlineMs, answerMs, sent: false, onReplay, resolve, reject });
      this.#blobBytes += blobBytes;
      this.#unsent.push(seq);
      this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
      this.#scheduleFlush();
    });
  }

  /** To be called when the writer stops deciding for a while: until `go`, no operation is given up. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Ends `hold`: each waiting operation gets its whole deadline again. */
  go(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#lastHeardMs = monotonicNowMs();
    const deadlineMs = monotonicNowMs() + this.#options.deadlineMs;
    for (const pending of this.#pending.values()) pending.deadlineMs = deadlineMs;
  }

  /** Closes the connection and gives up all pending operations: write_undecided when sent, otherwise write_timeout. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#socket?.destroy();
    for (const seq of [...this.#pending.keys()]) this.#giveUp(seq);
  }

  #open(): void {
    const socket = createConnection(this.#options.socketPath);
    this.#socket = socket;
    const reader = new FrameReader((message) => this.#receive(message as WireOutcomes));
    socket.on('connect', () => {
      this.#connected = true;
      socket.write(
        encodeFrame(JSON.stringify({ client: this.#id, protocol: WRITER_PROTOCOL } satisfies Hello)),
      );
      // The map's order is that of the sequence numbers, so operations that the last writer was sent go first.
      this.#unsent = [...this.#pending.keys()];
      this.#scheduleFlush();
    });
    socket.on('data', (chunk) => reader.push(chunk));
    // After a refused connection or a broken pipe, 'close' follows and handles both.
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#connected && !this.#closed) {
        this.#options.log.debug({ pending: this.#pending.size }, 'writer connection lost; writes are held');
      }
      this.#connected = false;
      if (!this.#closed) setTimeout(() => this.#open(), RECONNECT_MS);
    });
  }

  #scheduleFlush(): void {
    if (this.#flushing || !this.#connected) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#connected || !this.#socket) return;
    const operations: string[] = [];
    const blobs: Buffer[] = [];
    for (const seq of this.#unsent) {
      const pending = this.#pending.get(seq);
      if (!pending) continue;
      pending.sent = true;
      operations.push(pending.json);
      if (pending.blob) blobs.push(pending.blob);
    }
    if (operations.length === 0) return;
    const json = `{"acks":[${this.#acks.join()}],"ops":[${operations.join()}]}`;
    this.#unsent = [];
    this.#acks = [];
    this.#socket.write(encodeFrame(json, blobs));
  }

  #receive(outcomes: WireOutcomes): void {
    this.#lastHeardMs = monotonicNowMs();
    for (const [seq, outcome] of outcomes) {
      this.#acks.push(seq);
      this.#settle(seq, outcome);
    }
  }

  #settle(seq: number, outcome: Outcome): void {
    const pending = this.#take(seq);
    if (!pending) return;
    if (outcome.replayed) pending.onReplay?.();
    try {
      pending.resolve(unwrap(outcome));
    } catch (failure) {
      pending.reject(failure as Failure);
    }
  }

  #take(seq: number): Pending | undefined {
    const pending = this.#pending.get(seq);
    this.#pending.delete(seq);
    this.#blobBytes -= pending?.blob?.length ?? 0;
    return pending;
  }

  /** Deadlines rise with the sequence number, so the first that is not due ends the sweep. */
  #sweep(): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
      return;
    }
    if (this.#isHeld) return;
    const nowMs = monotonicNowMs();
    this.#checkConnection(nowMs);
    for (const [seq, { deadlineMs, answerMs, sent }] of this.#pending) {
      if (nowMs <= deadlineMs) return;
      if (!sent || nowMs > deadlineMs + answerMs) this.#giveUp(seq);
    }
  }

  /**
   * Reconnects when an answer is long overdue, while there is still time to send the writes again: that is safe, since
   * the ledger knows those that were applied. Writes that wait for the replica may take longer, and do not count.
   */
  #checkConnection(nowMs: number): void {
    const [oldest] = this.#pending.values();
    if (!oldest?.sent || !this.#connected || oldest.answerMs > DECISION_GRACE_MS) return;
    const patienceMs = this.#options.deadlineMs / 2;
    if (nowMs < oldest.deadlineMs - patienceMs || nowMs - this.#lastHeardMs < patienceMs) return;
    this.#lastHeardMs = nowMs;
    this.#options.log.warn({ pending: this.#pending.size }, 'the writer does not answer; connecting anew');
    this.#socket?.destroy();
  }

  #giveUp(seq: number): void {
    const pending = this.#take(seq);
    if (!pending) return;
    pending.reject(
      pending.sent
        ? new Failure(
            'write_undecided',
            'The write may or may not have been applied; read before you retry, or send it again with its Idempotency-Key',
          )
        : new Failure('write_timeout', 'The writer was not there in time; nothing was applied', {
            retryAfterSeconds: 1,
          }),
    );
  }
}
