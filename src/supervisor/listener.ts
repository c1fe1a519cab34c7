import type { AddressInfo, Socket } from 'node:net';
import type { OpsDoor, ToPrimary } from '../messages/messages.ts';
import type { Logger } from '../platform/log.ts';
import type { Child } from './child.ts';
import { type ListenAddress, type Listened, listenAt } from './listen-address.ts';

/** Connections that a worker was handed and has not accepted, by the number they were handed under. */
type Handed = Map<number, Socket>;

/**
 * The listening sockets, which the primary owns so that they stay open when every worker is dead: that of everybody, and that
 * of the operator, whose connections say so. A connection is:
 * waiting (no worker is ready) → handed (sent to a worker; the primary keeps its copy) → accepted (the worker has
 * it; the copy is closed). A worker that dies or cannot be reached gives its handed connections back to waiting;
 * nothing of them has been read, so they did not kill it, and another worker serves them from the first byte. What a
 * worker has accepted ends with it: a request that kills workers reaches another one only when it is sent again.
 */
export class Listener {
  readonly #listened: Listened[] = [];
  /** Of connections that came by the operator's socket. */
  readonly #doors = new WeakMap<Socket, OpsDoor>();
  readonly #log: Logger;
  readonly #queueMax: number;
  /** Ready workers with what they were handed and have not accepted, in turn order. */
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
   * @returns where that is; undefined for a Unix socket
   * @throws Failure address_unavailable
   */
  async listen(address: ListenAddress, isOps: boolean): Promise<AddressInfo | undefined> {
    const onConnection = (socket: Socket) => {
      if (isOps) this.#doors.set(socket, listened.bound ? 'ops-tcp' : 'ops-unix');
      this.#take(socket);
    };
    // Out of file descriptors, for one: the next accept may do better, and the primary lives on.
    const onError = (err: Error) => this.#log.error({ err }, 'listener error');
    const listened = await listenAt(address, onConnection, onError);
    this.#listened.push(listened);
    return listened.bound;
  }

  /** Stops taking connections; those that wait are closed when no worker is left to serve them. */
  close(): void {
    for (const listened of this.#listened) listened.close();
  }

  /** Ends what waits, and nobody will serve any more. */
  abandon(): void {
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }

  /** Gives connections to this child from now on, until it drains or dies. */
  add(child: Child): void {
    this.#workers.set(child, new Map());
    child.on('message', (message) => this.#onMessage(child, message));
    // Not 'exit': what the child said before it died may still stand in the channel, and a connection that it
    // accepted must not be served twice.
    child.once('close', () => this.#requeue(child));
    this.#dispatchWaiting();
  }

  #take(socket: Socket): void {
    // A reset before the hand-over: nobody is there to serve.
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

  /** The ready worker that owes the fewest accepts, the longest-waiting of equals: a hung one soon gets nothing. */
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
      // Not delivered; its exit may never name it, so it is given to the next one here.
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
