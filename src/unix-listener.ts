import { chmodSync, existsSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';

const WATCH_INTERVAL_MS = 500;

/** A Unix socket that its owner alone can reach, and that is made again when somebody removes it. */
export class UnixListener {
  readonly #onConnection: (socket: Socket) => void;
  readonly #onError: (error: Error) => void;
  #server: Server | undefined;
  #watch: NodeJS.Timeout | undefined;

  /** @param onError what it goes on after, such as no free descriptor */
  constructor(onConnection: (socket: Socket) => void, onError: (error: Error) => void) {
    this.#onConnection = onConnection;
    this.#onError = onError;
  }

  /**
   * @param path made with mode 0600; one that is there is of nobody any more, since the caller has the lock
   * @throws Error of the system when it cannot be made
   */
  async listen(path: string): Promise<void> {
    await this.#open(path);
    this.#watch = setInterval(() => {
      if (existsSync(path)) return;
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
    const server = createServer(this.#onConnection);
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // Exclusive: else the cluster module has the primary listen and pass connections on, and one that is on its
      // way when a process dies stays open in the primary for ever.
      server.listen({ path, exclusive: true }, resolve);
    });
    server.on('error', this.#onError);
    chmodSync(path, 0o600);
  }
}
