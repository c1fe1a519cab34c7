import http, { type IncomingHttpHeaders } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { HUNG_AFTER_MS, isAcknowledged, type RequestRecord } from './record.ts';
import { type Reply, request } from './request.ts';

/** How many writes are read back at the same time. */
const LANES_READING_BACK = 16;

/** A request of an app's test. */
export interface TestRequest {
  readonly method?: string;
  /** The path below the base of the API. */
  readonly path: string;
  /** The body, sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The outcome of one request. A read belongs to the write with the same sequence number. */
export interface TestRecord extends RequestRecord {
  readonly sequence: number;
  /** The body of the answer; undefined when it was not JSON. */
  readonly body: unknown;
  /** The durability that the write asked for. */
  readonly durability: 'local' | 'replicated';
}

/** The answer to a read. */
export interface TestAnswer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  /** The body; undefined when it was not JSON. */
  readonly body: unknown;
}

/** What clients and trials need to know of an app. */
export interface TestedApp {
  /** Returns the request for the write with this number; it must differ from all others. */
  readonly write: (sequence: number) => TestRequest;
  /** Returns the request that reads what a write has made. */
  readonly read: (written: TestRecord) => TestRequest;
  /** Whether a read found what was written. By default: status 200, and the same body as that of the write's answer. */
  readonly isSame?: (found: TestAnswer, written: TestRecord) => boolean;
}

export interface HonestClientsOptions extends TestedApp {
  /** Base of the API. */
  readonly url: string;
  /** Number of clients that keep their connection. */
  readonly connections: number;
  /** Number of further clients, which make a new connection for each request. Default: 0. */
  readonly fresh?: number;
  /** Request rate of all clients together. Default: each sends its next request as soon as it is answered. */
  readonly requestsPerSecond?: number;
  /** Whether every second request reads an acknowledged write. */
  readonly isReading?: boolean;
  /** Whether every second write asks for the replica's confirmation (`Durability: replicated`). */
  readonly isReplicating?: boolean;
  /** Sequence number of the first write. Default: 1. */
  readonly firstSequence?: number;
  /** A request without an answer for this long counts as hung. Default: 10 s. */
  readonly hungAfterMs?: number;
  /** Returns a number from 0 to 1. Default: Math.random. */
  readonly random?: () => number;
  /** Called with each record; `records` then stays empty. */
  readonly onRecord?: (record: TestRecord) => void;
}

/**
 * Clients that never retry and remember every answer, so that their history can be compared with the data afterwards.
 * Each client has one request under way at a time. States: running → stopping (`stop`) → done.
 */
export class HonestClients {
  readonly records: TestRecord[] = [];
  readonly #options: HonestClientsOptions;
  readonly #random: () => number;
  readonly #intervalMs: number;
  readonly #done: Promise<unknown>;
  #stopping = false;
  #sequence: number;

  constructor(options: HonestClientsOptions) {
    const { connections, fresh = 0, requestsPerSecond, random = Math.random, firstSequence = 1 } = options;
    this.#options = options;
    this.#random = random;
    this.#sequence = firstSequence - 1;
    const lanes = connections + fresh;
    this.#intervalMs = requestsPerSecond === undefined ? 0 : (1000 * lanes) / requestsPerSecond;
    this.#done = Promise.all(Array.from({ length: lanes }, (_, index) => this.#lane(index < connections)));
  }

  get acknowledged(): TestRecord[] {
    return this.records.filter(isAcknowledged);
  }

  /** The records of requests that failed: by an error status, a wrong answer, or none, as when their worker dies. */
  get failed(): TestRecord[] {
    return this.records.filter((record) => record.failure !== undefined);
  }

  /** Resolves when every request under way has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /**
   * Compares the history with the present data, by reading each write back.
   * @param url of a system that was started again, or restored; by default that of the clients
   * @param written the writes that must be there; by default all acknowledged ones
   * @returns each acknowledged write that is missing or changed, in words; empty for a correct system
   */
  async lost(url = this.#options.url, written: readonly TestRecord[] = this.acknowledged): Promise<string[]> {
    const lost: string[] = [];
    const agent = new http.Agent({ keepAlive: true });
    const next = written.values();
    const read = async () => {
      for (const record of next) {
        const { failure, detail } = await this.#read(record, agent, true, url);
        if (failure !== undefined)
          lost.push(`write ${record.sequence} was acknowledged, and is read as ${detail}`);
      }
    };
    await Promise.all(Array.from({ length: LANES_READING_BACK }, read));
    agent.destroy();
    return lost;
  }

  async #lane(isKept: boolean): Promise<void> {
    const agent = isKept ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    const acknowledged: TestRecord[] = [];
    let nextMs = performance.now() + this.#random() * this.#intervalMs;
    for (let turn = 0; ; turn += 1) {
      const waitMs = nextMs - performance.now();
      if (waitMs > 0) await pause(waitMs);
      if (this.#stopping) break;
      // A late answer delays the following requests; there is no burst to catch up.
      nextMs = Math.max(nextMs, performance.now()) + this.#intervalMs;
      const written = this.#options.isReading && turn % 2 === 1 ? this.#pick(acknowledged) : undefined;
      const record =
        written === undefined ? await this.#write(agent, isKept) : await this.#read(written, agent, isKept);
      if (this.#options.isReading && isAcknowledged(record)) acknowledged.push(record);
      if (this.#options.onRecord) this.#options.onRecord(record);
      else this.records.push(record);
    }
    agent?.destroy();
  }

  /** Half of the time the newest write, which a worker that lags would not know; otherwise any. */
  #pick(acknowledged: readonly TestRecord[]): TestRecord | undefined {
    const any = Math.floor(this.#random() * acknowledged.length);
    return this.#random() < 0.5 ? acknowledged.at(-1) : acknowledged[any];
  }

  async #write(agent: http.Agent | undefined, isKept: boolean): Promise<TestRecord> {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const durability = this.#options.isReplicating && sequence % 2 === 0 ? 'replicated' : 'local';
    const { headers = {}, ...wanted } = this.#options.write(sequence);
    const asked = durability === 'replicated' ? { ...headers, Durability: 'replicated' } : headers;
    const sent = await this.#send({ ...wanted, headers: asked }, agent, isKept, this.#options.url);
    const { reply, ...record } = sent;
    const isRefused = reply.status !== undefined && reply.status >= 300 && reply.failure === undefined;
    const refusal = isRefused ? ({ failure: 'other', detail: `${reply.status}` } as const) : {};
    return { kind: 'write', sequence, durability, ...record, ...refusal };
  }

  async #read(
    written: TestRecord,
    agent: http.Agent | undefined,
    isKept: boolean,
    url = this.#options.url,
  ): Promise<TestRecord> {
    const { isSame = isRepeated, read } = this.#options;
    const { reply, ...record } = await this.#send(read(written), agent, isKept, url);
    const { sequence, durability } = written;
    const isWrong = reply.failure === undefined && !isSame({ ...reply, body: record.body }, written);
    const wrong = isWrong
      ? ({ failure: 'wrong', detail: `${reply.status} ${reply.text.slice(0, 200)}` } as const)
      : {};
    return { kind: 'read', sequence, durability, ...record, ...wrong };
  }

  async #send(
    { method = 'GET', path, body, headers }: TestRequest,
    agent: http.Agent | undefined,
    isKept: boolean,
    url: string,
  ) {
    const { hungAfterMs = HUNG_AFTER_MS } = this.#options;
    const startMs = Date.now();
    const startedMs = performance.now();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const reply = await request(`${url}${path}`, method, text, agent, headers, hungAfterMs);
    const answer = parsed(reply.text);
    const { port, status, failure, detail } = reply;
    const connection: RequestRecord['connection'] = isKept ? 'kept' : 'new';
    const latencyMs = performance.now() - startedMs;
    return {
      ...{ connection, port, startMs, latencyMs, status, failure, detail },
      ...{ code: problemCode(reply, answer), body: answer, reply },
    };
  }
}

function isRepeated({ status, body }: TestAnswer, written: TestRecord): boolean {
  return status === 200 && isDeepStrictEqual(body, written.body);
}

function problemCode({ status }: Reply, answer: unknown): string | undefined {
  if (status === undefined || status < 400) return undefined;
  return (answer as { readonly code?: string } | undefined)?.code;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
