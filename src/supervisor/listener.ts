import type { AddressInfo, Socket } from 'node:net';
import type { OpsDoor, ToPrimary } from '../messages/messages.ts';
import type { Logger } from '../platform/log.ts';
import type { Child } from './child.ts';
import { type ListenAddress, type Listened, listenAt } from './listen-address.ts';

/** Connections that were handed to a worker and that it has not accepted, by the id they were handed under. */
type Handed = Map<number, Socket>;

/**
 * The listening sockets, of the public and of the operator; connections of the latter say so. The primary owns them, so
 * that they stay open when every worker is dead. States of a connection: waiting (no worker is ready) → handed (sent to
 * a worker; the primary keeps its own copy) → accepted (the worker has it; the copy is closed). When a worker dies or
 * cannot be reached, the connections that it was handed are waiting again. It has read nothing of them, so they did not
 * kill it, and another worker serves them from the first byte. A connection that a worker has accepted ends with it: a
 * request that kills workers reaches another one only when it is sent again.
 */
export class Listener {
  readonly #listened: Listened[] = [];
  /** How connections came that came by an operator's socket. */
  readonly #doors = new WeakMap<Socket, OpsDoor>();
  readonly #log: Logger;
  readonly #queueMax: number;
  /** Ready workers and the connections that they were handed and have not accepted; the next in turn comes first. */
  readonly #workers = new Map<Child, Handed>();
  readonly #waiting: Socket[] = [];
  #nextId = 0;

  constructor(queueMax: number, log: Logger) {
    this.#queueMax = queueMax;
    this.#log = log;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /**
   * Listens at one more address.
   * @param isOps whether it is the operator's
   * @returns the address that is bound; undefined for a Unix socket
   * @throws Failure address_unavailable
   */
  async listen(address: ListenAddress, isOps: boolean): Promise<AddressInfo | undefined> {
    const onConnection = (socket: Socket) => {
      if (isOps) this.#doors.set(socket, listened.bound ? 'ops-tcp' : 'ops-unix');
      this.#take(socket);
    };
    // Such as no free file descriptor: the next accept may succeed, and the primary lives on.
    const onError = (err: Error) => this.#log.error({ err }, 'listener error');
    const listened = await listenAt(address, onConnection, onError);
    this.#listened.push(listened);
    return listened.bound;
  }

  /** Stops accepting. `abandon` closes the connections that still wait. */
  close(): void {
    for (const listened of this.#listened) listened.close();
  }

  /** Closes the connections that wait: nobody will serve them any more. */
  abandon(): void {
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  /** Gives connections to this child from now on, until it drains or dies. */
  add(child: Child): void {
    this.#workers.set(child, new Map());
    child.on('message', (message) => this.#onMessage(child, message));
    // Not 'exit': messages that the child sent before it died may still be in the channel, and a connection that it
    // accepted must not be served twice.
    child.once('close', () => this.#requeue(child));
    this.#dispatchWaiting();
  }

  #take(socket: Socket): void {
    // A connection that is reset before the hand-over needs no worker.
    socket.on('error', () => socket.destroy());
    if (!this.#dispatch(socket)) this.#wait(socket);
  }

  #wait(socket: Socket): void {
    if (this.#waiting.length >= this.#queueMax) {
      socket.destroy();
      return;
    }
    this.#waiting.push(socket);
  }

  /** The ready worker that has to accept the fewest, the longest-waiting of equals: a hung one soon gets none. */
  #pick(): [Child, Handed] | undefined {
    let best: [Child, Handed] | undefined;
    for (const entry of this.#workers) {
      if (entry[0].isReachable && (!best || entry[1].size < best[1].size)) best = entry;
    }
    if (best) {
      this.#workers.delete(best[0]);
      this.#workers.set(...best);
    }
    return best;
  }

  #dispatch(socket: Socket): boolean {
    if (socket.destroyed) return true;
    const picked = this.#pick();
    if (!picked) return false;
    const [child, handed] = picked;
    const id = ++this.#nextId;
    handed.set(id, socket);
    const door = this.#doors.get(socket);
    child.send({ kind: 'connection', id, ...(door && { door }) }, socket, () => {
      // Not delivered. The close of the child may not find it any more, so another worker gets it here.
      if (handed.delete(id) && !this.#dispatch(socket)) this.#wait(socket);
    });
    return true;
  }

  #dispatchWaiting(): void {
    while (this.#waiting.length > 0) {
      if (!this.#dispatch(this.#waiting[0] as Socket)) return;
      this.#waiting.shift();
    }
  }

  #onMessage(child: Child, message: ToPrimary): void {
    if (message.kind !== 'accepted') return;
    const handed = this.#workers.get(child);
    const connection = handed?.get(message.id);
    handed?.delete(message.id);
    // Closes this copy only: the worker's keeps the connection.
    connection?.destroy();
  }

  #requeue(child: Child): void {
    const handed = this.#workers.get(child);
    this.#workers.delete(child);
    if (!handed) return;
    if (handed.size > 0) {
      this.#log.debug({ child: child.name, connections: handed.size }, 'connections go to another worker');
    }
    for (const [id, socket] of [...handed]) {
      handed.delete(id);
      if (!this.#dispatch(socket)) this.#wait(socket);
    }
  }
}
