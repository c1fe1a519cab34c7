import { EventEmitter } from 'node:events';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerOpts, type Socket } from 'node:net';

/** Connections that the kernel holds before they are taken. */
export const BACKLOG = 4096;
const WATCH_INTERVAL_MS = 500;
/** Leaves what is made to its owner, and a folder that another thread makes meanwhile usable. */
const OWNER_ALONE_MASK = 0o077;
const SOCKET_MODE = 0o600;

/**
 * A Unix socket that its owner alone can reach from its first moment, and that is made again when somebody removes it.
 */
export class UnixListener {
  readonly #onConnection: (socket: Socket) => void;
  readonly #onError: (error: Error) => void;
  readonly #options: ServerOpts;
  #server: Server | undefined;
  #watch: NodeJS.Timeout | undefined;

  /** @param onError what it goes on after, such as no free descriptor */
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
   * @param path one that is there is of nobody any more: the caller has the lock of the data folder, or has looked
   * @throws Error of the system when it cannot be made
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

  /** Takes no new connection. */
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
      // It is made within this call. Exclusive: else the cluster module has the primary listen and pass connections on, and one
      // that is on its way when a process dies stays open in the primary for ever.
      server.listen({ path, backlog: BACKLOG, exclusive: true });
    } finally {
      process.umask(mask);
    }
    await listening;
    chmodSync(path, SOCKET_MODE);
    server.on('error', this.#onError);
  }
}

/** A folder that is closed to this user for now tells nothing of it. */
function isRemoved(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}
