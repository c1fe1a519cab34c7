import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Idle clients that are about to send get this long to learn, from an answer, that the connection ends. */
const LINGER_MS = 500;
const SWEEP_MS = 25;

/**
 * The connections of one worker. States: serving → draining (`drain`: answers carry `Connection: close`, idle
 * connections are closed after a linger) → closed (the last one ended, or the deadline cut the rest).
 */
export class Connections {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #draining: Promise<void> | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;

  /** @param server not listening itself: its connections come from the primary */
  constructor(server: Server) {
    this.#server = server;
    // Node sets up its tracking of idle and slow connections when a server begins to listen. This one never
    // does, and without the tracking neither its timeouts nor closeIdleConnections would work.
    server.emit('listening');
  }

  get draining(): boolean {
    return this.#draining !== undefined;
  }

  get count(): number {
    return this.#sockets.size;
  }

  /** Begins to serve a connection, from its first byte. */
  adopt(socket: Socket): void {
    this.#sockets.add(socket);
    // A client may end its side behind its request. A socket that came from the primary would then end ours as well.
    socket.allowHalfOpen = true;
    socket.once('close', () => this.#sockets.delete(socket));
    this.#server.emit('connection', socket);
  }

  /** Resolves when every connection has ended; at the earliest deadline told those that are left are cut. */
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
