import type { Socket } from 'node:net';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { UnixListener } from '../platform/unix-listener.ts';
import { encodeFrame, FrameReader } from '../writer-client/frames.ts';
import {
  type Hello,
  type Idempotency,
  type Outcome,
  refusal,
  type WireBatch,
  WRITER_PROTOCOL,
  writerMismatch,
} from '../writer-client/protocol.ts';
import type { Committer } from './committer.ts';
import { idempotencyMismatch } from './idempotency.ts';

/** A client that has not reconnected after this time is dead: nobody needs its outcomes any more. */
const CLIENT_FORGET_MS = 60_000;

/** The committer that applies a command, by the command's full name. */
export type Routing = ReadonlyMap<string, Committer>;

/** Queries that the writer answers from memory, by name. They touch no database and make no commit. */
export type Questions = ReadonlyMap<string, (input: unknown) => Promise<unknown>>;

interface Client {
  readonly socket: Socket;
  /** Whether it speaks this writer's protocol. */
  isUnderstood: boolean;
  outbox: [seq: number, outcome: Outcome][];
}

/**
 * The writer's side of the socket. All outcomes of a connection in one turn of the event loop go into one frame, which
 * makes one frame for each commit.
 *
 * States of a connection: new (no hello yet) → known (hello received) → gone (closed).
 */
export class WriterServer {
  readonly #listener: UnixListener;
  readonly #routing: Routing;
  readonly #committers: ReadonlySet<Committer>;
  readonly #questions: Questions;
  readonly #log: Logger;
  readonly #clients = new Set<Client>();
  readonly #present = new Map<string, number>();

  constructor(routing: Routing, log: Logger, questions: Questions = new Map()) {
    this.#routing = routing;
    this.#questions = questions;
    this.#committers = new Set(routing.values());
    this.#log = log;
    this.#listener = new UnixListener(
      (socket) => this.#accept(socket),
      (error) => log.error({ err: error }, 'writer socket error'),
    );
  }

  /** @param path the Unix socket, as for `UnixListener.listen` */
  async listen(path: string): Promise<void> {
    await this.#listener.listen(path);
    for (const { ledger } of this.#committers) for (const id of ledger.clients) this.#forgetLater(id);
  }

  /** Accepts no new client, decides every operation that has arrived, and sends the last outcomes. */
  async drain(): Promise<void> {
    this.#listener.close();
    await Promise.all([...this.#committers].map((committer) => committer.drained()));
    await Promise.all(
      [...this.#clients].map((client) => {
        this.#flush(client);
        return new Promise<void>((resolve) => client.socket.end(resolve));
      }),
    );
  }

  #accept(socket: Socket): void {
    const client: Client = { socket, isUnderstood: false, outbox: [] };
    let id: string | undefined;
    const reader = new FrameReader((message, blob) => {
      if (id === undefined) {
        const hello = message as Hello;
        id = hello.client;
        client.isUnderstood = hello.protocol === WRITER_PROTOCOL;
        if (!client.isUnderstood) {
          this.#log.warn({ client: id, protocol: hello.protocol }, 'a client speaks another protocol');
        }
        this.#present.set(id, (this.#present.get(id) ?? 0) + 1);
        return;
      }
      this.#receive(client, id, message as WireBatch, blob);
    });
    this.#clients.add(client);
    socket.on('data', (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#log.error({ err: error, client: id }, 'a client sent what is no frame');
        socket.destroy();
      }
    });
    socket.on('error', (error) => this.#log.debug({ err: error, client: id }, 'client socket failed'));
    socket.on('close', () => {
      this.#clients.delete(client);
      if (id !== undefined) this.#leave(id);
    });
  }

  #leave(id: string): void {
    this.#present.set(id, (this.#present.get(id) ?? 1) - 1);
    this.#forgetLater(id);
  }

  #forgetLater(id: string): void {
    setTimeout(() => {
      if ((this.#present.get(id) ?? 0) > 0) return;
      this.#present.delete(id);
      for (const committer of this.#committers) committer.forget(id);
    }, CLIENT_FORGET_MS).unref();
  }

  #receive(client: Client, id: string, { acks, ops }: WireBatch, blobs: Buffer): void {
    if (acks.length > 0) for (const committer of this.#committers) committer.ledger.confirm(id, acks);
    let offset = 0;
    for (const [seq, name, deadlineMonotonicMs, input, blobBytes, replicatedTimeoutMs, idempotency] of ops) {
      const blob = blobBytes === 0 ? undefined : blobs.subarray(offset, offset + blobBytes);
      offset += blobBytes;
      const reply = (outcome: Outcome) => this.#reply(client, seq, outcome);
      const committer = this.#routing.get(name);
      if (!client.isUnderstood) reply(this.#decided(id, seq) ?? refusal(writerMismatch()));
      else if (committer && idempotency && this.#isKnownElsewhere(idempotency, committer)) {
        reply(refusal(idempotencyMismatch()));
      } else if (committer) {
        const operation = {
          client: id,
          seq,
          name,
          deadlineMonotonicMs,
          input,
          blob,
          replicatedTimeoutMs,
          idempotency,
          reply,
        };
        committer.submit(operation);
      } else if (this.#questions.has(name)) this.#answer(name, input, reply);
      else reply(this.#decided(id, seq) ?? refusal(writerMismatch()));
    }
  }

  /** @returns the outcome of an operation that a writer of another release has applied, and whose client missed it */
  #decided(id: string, seq: number): Outcome | undefined {
    for (const { ledger } of this.#committers) {
      const known = ledger.find(id, seq);
      if (known) return known;
    }
    return undefined;
  }

  async #answer(name: string, input: unknown, reply: (outcome: Outcome) => void): Promise<void> {
    try {
      reply({ value: await this.#questions.get(name)?.(input) });
    } catch (err) {
      this.#log.error({ err, question: name }, 'a question could not be answered');
      reply(refusal(new Failure('internal', 'The writer has no answer')));
    }
  }

  /** An Idempotency-Key is unique over all databases of its owner, but its outcome is stored in only one of them. */
  #isKnownElsewhere(idempotency: Idempotency, own: Committer): boolean {
    const nowMs = Date.now();
    return [...this.#committers].some(
      (committer) => committer !== own && committer.idempotencyKeys.has(idempotency, nowMs),
    );
  }

  #reply(client: Client, seq: number, outcome: Outcome): void {
    client.outbox.push([seq, outcome]);
    if (client.outbox.length === 1) process.nextTick(() => this.#flush(client));
  }

  #flush(client: Client): void {
    if (client.outbox.length === 0 || client.socket.destroyed) return;
    client.socket.write(encodeFrame(JSON.stringify(client.outbox)));
    client.outbox = [];
  }
}
