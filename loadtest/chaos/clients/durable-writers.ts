import http from 'node:http';
import { request } from '../../../src/testing/request.ts';
import { alertFor } from './record.ts';

/** One write, and what its answer promised. */
export interface DurableWrite {
  readonly key: string;
  /** Undefined without an answer, or with one that promises nothing. */
  readonly promise: 'local' | 'replicated' | undefined;
  /** Milliseconds since the epoch. */
  readonly sentAtMs: number;
  /** When the answer came; milliseconds since the epoch. */
  readonly answeredAtMs: number;
}

export interface DurableWritersOptions {
  /** Base of the API. */
  readonly url: string;
  readonly lanes: number;
  /** Makes the keys unique. */
  readonly prefix: string;
}

/** The replication lag that the system showed last. */
export interface ShownLag {
  /** Every write acknowledged before this is in the replica; milliseconds since the epoch. */
  readonly confirmedUntilMs: number;
  readonly lagMs: number;
}

const LAG_POLL_MS = 50;

/**
 * Clients that ask for `Durability: replicated` in every second write, and watch the lag that the system shows.
 * States: running → stopped (`stop`).
 */
export class DurableWriters {
  readonly writes: DurableWrite[] = [];
  readonly #options: DurableWritersOptions;
  readonly #agent: http.Agent;
  readonly #done: Promise<unknown>;
  #shown: ShownLag = { confirmedUntilMs: 0, lagMs: Number.POSITIVE_INFINITY };
  #sequence = 0;
  #stopped = false;

  constructor(options: DurableWritersOptions) {
    this.#options = options;
    this.#agent = new http.Agent({ keepAlive: true });
    const lanes = Array.from({ length: options.lanes }, () => this.#lane());
    this.#done = Promise.all([...lanes, this.#watch()]);
  }

  /** As of the last answer. */
  get shown(): ShownLag {
    return this.#shown;
  }

  /** Resolves when every request under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    this.#agent.destroy();
  }

  async #lane(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn += 1) {
      const key = `${this.#options.prefix}-${++this.#sequence}`;
      const headers = turn % 2 === 0 ? { Durability: 'replicated' } : undefined;
      const body = JSON.stringify(alertFor(key));
      const sentAtMs = Date.now();
      const { status } = await request(`${this.#options.url}/alert`, 'POST', body, this.#agent, headers);
      const isPromised = status === 200 || status === 201;
      const promise = isPromised ? (headers ? 'replicated' : 'local') : undefined;
      this.writes.push({ key, promise, sentAtMs, answeredAtMs: Date.now() });
      // The system is gone; the trial will soon call stop.
      if (status === undefined) await pause(LAG_POLL_MS);
    }
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      const { status, text } = await request(
        `${this.#options.url}/ready?verbose`,
        'GET',
        undefined,
        this.#agent,
      );
      if (status === 200) {
        const { lagMs, databases } = JSON.parse(text).replication;
        this.#shown = { lagMs, confirmedUntilMs: databases.main?.confirmed?.atMs ?? 0 };
      }
      await pause(LAG_POLL_MS);
    }
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
