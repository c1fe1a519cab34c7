import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** During this time an idle client may still send a request, and learn from its answer that the connection ends. */
const LINGER_MS = 500;
const SWEEP_MS = 25;

/**
 * The connections of one worker. States: serving → draining (`drain`: answers carry `Connection: close`, and idle
 * connections are closed after `LINGER_MS`) → closed (the last connection has ended, or the deadline has cut the rest).
 */
export class Connections {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #draining: Promise<void> | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;

  /** @param server its connections come from the primary; it has to listen, see `listenUnreachably` */
  constructor(server: Server) {
    this.#server = server;
  }

  get draining(): boolean {
    return this.#draining !== undefined;
  }

  /** Begins to serve a connection, from its first byte. */
  adopt(socket: Socket): void {
    this.#sockets.add(socket);
    // A client may end its side after its request. A socket from the primary would then end our side as well.
    socket.allowHalfOpen = true;
    socket.once('close', () => this.#sockets.delete(socket));
    this.#server.emit('connection', socket);
  }

  /** Resolves when every connection has ended. At the earliest deadline of all calls, the remaining ones are cut. */
  async drain(timeoutMs: number): Promise<void> {
    this.#deadlineMs = Math.min(this.#deadlineMs, performance.now() + timeoutMs);
    this.#draining ??= this.#drained();
    await this.#draining;
  }

  async #drained(): Promise<void> {
    const startMs = performance.now();
    await new Promise<void>((resolve) => {
      const sweep = () => {
        const nowMs = performance.now();
        if (nowMs >= this.#deadlineMs) {
          this.#server.closeAllConnections();
          for (const socket of this.#sockets) socket.destroy();
        } else if (nowMs - startMs >= LINGER_MS) this.#server.closeIdleConnections();
        if (this.#sockets.size === 0) {
          clearInterval(timer);
          resolve();
        }
      };
      const timer = setInterval(sweep, SWEEP_MS);
      sweep();
    });
  }
}
