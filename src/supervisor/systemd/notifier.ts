import { execFile } from 'node:child_process';
import type { Logger } from '../../platform/log.ts';

const SEND_TIMEOUT_MS = 5000;
/** Where Debian and its derivatives have systemd-notify; used when there is no PATH. */
const FALLBACK_PATH = '/usr/bin:/bin';

/**
 * Tells the service manager of our state. Node.js cannot send Unix datagrams, so this runs `systemd-notify`, which is
 * there wherever systemd is: about 10 ms of another process each, a few times a minute. It needs `NotifyAccess=all`.
 * Messages are sent one after the other, in order. States: idle → sending (`send`) → idle.
 */
export class Notifier {
  readonly #socket: string;
  readonly #log: Logger;
  #sending: Promise<void> = Promise.resolve();
  #isBroken = false;

  /** @param socket NOTIFY_SOCKET */
  constructor(socket: string, log: Logger) {
    this.#socket = socket;
    this.#log = log;
  }

  /**
   * @param assignments such as `READY=1`; see sd_notify(3)
   * @returns when it was sent; never rejects, since no caller could do anything about it
   */
  send(...assignments: readonly string[]): Promise<void> {
    this.#sending = this.#sending.then(() => this.#run(assignments));
    return this.#sending;
  }

  async #run(assignments: readonly string[]): Promise<void> {
    const error = await new Promise<unknown>((resolve) => {
      execFile(
        'systemd-notify',
        [...assignments],
        {
          timeout: SEND_TIMEOUT_MS,
          killSignal: 'SIGKILL',
          env: { NOTIFY_SOCKET: this.#socket, PATH: process.env.PATH ?? FALLBACK_PATH },
        },
        resolve,
      );
      // Some errors of a spawn are thrown, such as ENOMEM.
    }).catch((thrown: unknown) => thrown);
    if (error && !this.#isBroken) {
      this.#log.warn(
        { err: error },
        'the service manager cannot be told of our state: is systemd-notify installed?',
      );
    }
    this.#isBroken = error !== null;
  }
}
