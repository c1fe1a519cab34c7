import { type ChildProcess, fork } from 'node:child_process';
import { HUNG_AFTER_MS } from '../../../src/testing/record.ts';
import type { Counts, FromClients, ToClients } from './messages.ts';
import type { RequestRecord } from './record.ts';

const STOP_GRACE_MS = 20_000;

export type LoadOptions = Omit<ToClients & { kind: 'start' }, 'kind'>;

/** The honest clients of a trial, in a process of their own. States: running → stopping (`stop`) → ended. */
export class Load {
  readonly #process: ChildProcess;
  readonly #records: RequestRecord[] = [];
  readonly #history = Promise.withResolvers<readonly RequestRecord[]>();
  #stopped: Promise<readonly RequestRecord[]> | undefined;
  #counts: Counts = { requests: 0, failed: 0, acknowledged: 0, storageFull: 0 };

  constructor(options: LoadOptions) {
    this.#process = fork(new URL('./process.ts', import.meta.url), {
      execArgv: [],
      serialization: 'advanced',
    });
    this.#process.on('message', (message: FromClients) => {
      if (message.kind === 'counts') this.#counts = message.counts;
      else {
        this.#records.push(...message.records);
        if (message.isLast) this.#history.resolve(this.#records);
      }
    });
    this.#process.once('exit', (code, signal) =>
      this.#history.reject(new Error(`the clients ended before their time: ${signal ?? `code ${code}`}`)),
    );
    this.#history.promise.catch(() => {});
    this.#tell({ kind: 'start', ...options });
  }

  /** The counts as of the last message. */
  get counts(): Counts {
    return this.#counts;
  }

  /**
   * Resolves when every request under way has ended, with the record of each request, in the order in which they ended.
   * @throws Error when the clients' process fails
   */
  stop(): Promise<readonly RequestRecord[]> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Kills the process at once. */
  destroy(): void {
    this.#process.kill('SIGKILL');
  }

  async #stop(): Promise<readonly RequestRecord[]> {
    this.#tell({ kind: 'stop' });
    const timer = setTimeout(() => this.destroy(), HUNG_AFTER_MS + STOP_GRACE_MS);
    try {
      return await this.#history.promise;
    } finally {
      clearTimeout(timer);
      this.destroy();
    }
  }

  #tell(message: ToClients): void {
    this.#process.send(message, () => {});
  }
}
