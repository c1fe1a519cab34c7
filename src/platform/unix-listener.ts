import { EventEmitter } from 'node:events';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerOpts, type Socket } from 'node:net';

/** How many connections the kernel queues before they are accepted. */
export const BACKLOG = 4096;
const WATCH_INTERVAL_MS = 500;
/** New files are for their owner alone; a folder that another thread makes meanwhile stays usable. */
const OWNER_ALONE_MASK = 0o077;
const SOCKET_MODE = 0o600;

/** A Unix socket that only its owner can reach, from its first moment on, and that is made again when it is removed. */
export class UnixListener {
  readonly #onConnection: (socket: Socket) => void;
  readonly #onError: (error: Error) => void;
  readonly #options: ServerOpts;
  #server: Server | undefined;
  #watch: NodeJS.Timeout | undefined;

  /** @param onError called with errors after which it goes on, such as no free descriptor */
  constructor(
    onConnection: (socket: Socket) => void,
    onError: (error: Error) => void,
    options: ServerOpts = {},
  ) {
    this.#onConnection = onConnection;
    this.#onError = onError;
    this.#options = options;
  }

  /**
   * @param path a socket that exists there is removed: the caller has the lock of the data folder, or has checked it
   * @throws Error of the system when the socket cannot be made
   */
  async listen(path: string): Promise<void> {
    await this.#open(path);
    this.#watch = setInterval(() => {
      if (!isRemoved(path)) return;
      this.#onError(new Error(`${path} was removed; it is made again`));
      this.#server?.close();
      this.#open(path).catch(this.#onError);
    }, WATCH_INTERVAL_MS).unref();
  }

  /** Accepts no new connections from now on. */
  close(): void {
    clearInterval(this.#watch);
    this.#server?.close();
  }

  async #open(path: string): Promise<void> {
    rmSync(path, { force: true });
    const server = createServer(this.#options, this.#onConnection);
    this.#server = server;
    const listening = EventEmitter.once(server, 'listening');
    const mask = process.umask(OWNER_ALONE_MASK);
    try {
      // The socket is made within this call, under the mask. Exclusive: otherwise node:cluster lets the primary listen
      // and pass connections on, and a connection that is on its way to a dying process stays open in the primary for
      // ever.
      server.listen({ path, backlog: BACKLOG, exclusive: true });
    } finally {
      process.umask(mask);
    }
    await listening;
    chmodSync(path, SOCKET_MODE);
    server.on('error', this.#onError);
  }
}

/** When the folder cannot be read for now, the socket does not count as removed. */
function isRemoved(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}
