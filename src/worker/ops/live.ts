import { PassThrough } from 'node:stream';
import type { Answers, Ask } from '../../runtime/answers.ts';

const TICK_MS = 500;
/** A viewer that lags so far behind is disconnected: to reconnect is faster than to catch up. */
const BACKLOG_MAX_BYTES = 1024 * 1024;
/** Most viewers of one worker: each costs one document in each tick. */
export const VIEWERS_MAX = 32;

export interface LiveOptions {
  readonly ask: Ask;
  /** Whether this process drains: its viewers then reconnect to another one. */
  readonly draining: () => boolean;
}

interface Viewer {
  readonly stream: PassThrough;
  readonly isAllowed: () => Promise<boolean>;
}

/**
 * The viewers who watch the system through this worker, by server-sent events. One query to the primary in each tick
 * serves them all, and none is made while nobody watches.
 *
 * States of a viewer: new (it gets the history) → watching → gone (it left, is no longer allowed, lags too far behind,
 * or the worker drains).
 */
export class Live {
  readonly #options: LiveOptions;
  readonly #viewers = new Set<Viewer>();
  #timer: NodeJS.Timeout | undefined;
  /** True while a query is pending: a slow answer must not be overtaken by the next one. */
  #isAsking = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#viewers.size;
  }

  /**
   * @param isAllowed called at each tick: a key may be revoked while its owner watches
   * @returns the body of the answer
   * @throws Failure not_ready when the primary does not answer
   */
  async watch(isAllowed: () => Promise<boolean>): Promise<PassThrough> {
    const { ask } = this.#options;
    const [history, system] = await Promise.all([ask('history'), ask('system')]);
    const stream = new PassThrough();
    const viewer = { stream, isAllowed };
    stream.write(eventOf('history', history) + eventOf('system', system));
    this.#viewers.add(viewer);
    stream.on('error', () => this.#leave(viewer));
    stream.once('close', () => this.#leave(viewer));
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return stream;
  }

  #leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    if (this.#options.draining()) {
      for (const { stream } of this.#viewers) stream.end();
      return;
    }
    if (this.#isAsking) return;
    this.#isAsking = true;
    let system: Answers['system'];
    try {
      system = await this.#options.ask('system');
    } catch {
      // The next tick asks again. The page shows its viewer how old the data is.
      return;
    } finally {
      this.#isAsking = false;
    }
    const event = eventOf('system', system);
    for (const { stream, isAllowed } of [...this.#viewers]) {
      if (stream.writableLength > BACKLOG_MAX_BYTES || !(await isAllowed())) stream.end();
      else if (!stream.writableEnded) stream.write(event);
    }
  }
}

function eventOf(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
