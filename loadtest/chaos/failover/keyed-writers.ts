import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from '../../../src/testing/request.ts';
import type { ShownLag } from '../clients/durable-writers.ts';
import { alertFor } from '../clients/record.ts';

/** One acknowledged write. */
export interface Acknowledged {
  readonly key: string;
  readonly promise: 'local' | 'replicated';
  /** Index of the address that answered. */
  readonly by: number;
  /** When the successful try was sent and answered; milliseconds since the epoch. */
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
}

export interface KeyedWritersOptions {
  /** Bases of the API: of all systems, or of a proxy in front. */
  readonly urls: readonly string[];
  readonly lanes: number;
  /** Makes the keys unique. */
  readonly prefix: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long a lane waits for an answer; the lanes take the values in turn. */
  readonly patienceMs?: readonly number[];
}

/** For a paused system: half of the lanes soon turn to the other system, and half may get an answer when it wakes. */
const PATIENCE_MS = [3000, 30_000] as const;
const PAUSE_MS = 50;
const LAG_POLL_MS = 50;
const TOLD_MAX = 8;

/**
 * Clients that write to whichever system acknowledges: each write has an Idempotency-Key and is retried at the next
 * address until it is acknowledged. Every second write asks for `Durability: replicated`. Meanwhile the lag that each
 * system shows is watched. States: running → stopped (`stop`).
 */
export class KeyedWriters {
  readonly acknowledged: Acknowledged[] = [];
  /** How often a try was not acknowledged, by status; `none` without an answer. */
  readonly refusals: Record<string, number> = {};
  /** The first of these in words: when each was sent, how long it waited, and the answer. */
  readonly told: string[] = [];
  readonly #options: KeyedWritersOptions;
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #stopped = new AbortController();
  readonly #shown: ShownLag[];
  readonly #done: Promise<unknown>;
  #sequence = 0;

  constructor(options: KeyedWritersOptions) {
    this.#options = options;
    this.#shown = options.urls.map(() => ({ confirmedUntilMs: 0, lagMs: Number.POSITIVE_INFINITY }));
    const lanes = Array.from({ length: options.lanes }, (_, lane) => this.#lane(lane));
    this.#done = Promise.all([...lanes, ...options.urls.map((url, index) => this.#watch(url, index))]);
  }

  /** @returns the lag that a system showed last. @param index of its address */
  shown(index: number): ShownLag {
    return this.#shown[index] as ShownLag;
  }

  /** Resolves when every request under way has ended; a write not acknowledged by then never will be. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#done;
    this.#agent.destroy();
  }

  async #lane(lane: number): Promise<void> {
    const { urls, prefix, headers, patienceMs: ofLanes = PATIENCE_MS } = this.#options;
    let by = lane % urls.length;
    const patienceMs = ofLanes[Math.floor(lane / urls.length) % ofLanes.length];
    for (let turn = 0; !this.#stopped.signal.aborted; turn += 1) {
      const key = `${prefix}-${++this.#sequence}`;
      const promise = turn % 2 === 0 ? 'replicated' : 'local';
      const body = JSON.stringify(alertFor(key));
      while (!this.#stopped.signal.aborted) {
        const sentAtMs = Date.now();
        const { status, text, detail } = await request(
          `${urls[by]}/alert`,
          'POST',
          body,
          this.#agent,
          { ...headers, 'Idempotency-Key': `"${key}"`, Durability: promise },
          patienceMs,
        );
        if (status === 200 || status === 201) {
          this.acknowledged.push({ key, promise, by, sentAtMs, answeredAtMs: Date.now() });
          break;
        }
        const name = String(status ?? 'none');
        this.refusals[name] = (this.refusals[name] ?? 0) + 1;
        if (this.told.length < TOLD_MAX)
          this.told.push(
            `${key}, to be ${promise}, sent ${new Date(sentAtMs).toISOString()}, after ${Date.now() - sentAtMs} ms: ${detail ?? status} ${text}`.trim(),
          );
        by = (by + 1) % urls.length;
        await this.#pause(PAUSE_MS);
      }
    }
  }

  async #watch(url: string, index: number): Promise<void> {
    const { headers } = this.#options;
    while (!this.#stopped.signal.aborted) {
      const path = `${url}/ready?verbose`;
      const { status, text } = await request(path, 'GET', undefined, this.#agent, headers, PATIENCE_MS[0]);
      if (status === 200) {
        const { lagMs, databases } = JSON.parse(text).replication ?? {};
        this.#shown[index] = { lagMs, confirmedUntilMs: databases?.main?.confirmed?.atMs ?? 0 };
      }
      await this.#pause(LAG_POLL_MS);
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopped.signal }).catch(() => {});
  }
}
