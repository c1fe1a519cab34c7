import http from 'node:http';
import { alertFor, isAcknowledged, newFieldOf, type RequestRecord } from './record.ts';
import { type Reply, request } from './request.ts';

export interface LaneOptions {
  /** Base of the API. */
  readonly url: string;
  /** Makes the keys of this lane unlike any other's. */
  readonly prefix: string;
  /** From the start of one request to the start of the next, when the answers come in time. */
  readonly intervalMs: number;
  readonly keepAlive: boolean;
  /** Sent with each write, beside the fields that every release knows. */
  readonly newField: string | undefined;
  readonly random: () => number;
  readonly onRecord: (record: RequestRecord) => void;
}

/**
 * One honest client: writes an alert under a key of its own, reads back one that was acknowledged, and so on, one
 * request at a time. It never retries.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #agent: http.Agent | undefined;
  readonly #acknowledged: string[] = [];
  readonly #done: Promise<void>;
  #sequence = 0;
  #stopping = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#agent = options.keepAlive ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    this.#done = this.#run();
  }

  /** Resolves when the request under way has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
    this.#agent?.destroy();
  }

  async #run(): Promise<void> {
    const { intervalMs, random } = this.#options;
    let nextMs = performance.now() + random() * intervalMs;
    for (let turn = 0; ; turn += 1) {
      const waitMs = nextMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (this.#stopping) return;
      // A late answer delays what follows; there is no burst to catch up.
      nextMs = Math.max(nextMs, performance.now()) + intervalMs;
      if (turn % 2 === 0) await this.#write();
      else await this.#read();
    }
  }

  async #write(): Promise<void> {
    const { url, prefix, keepAlive, newField, onRecord } = this.#options;
    const key = `${prefix}-${++this.#sequence}`;
    const alert = { ...alertFor(key), ...(newField && { [newField]: newFieldOf(key) }) };
    const startMs = Date.now();
    const startedMs = performance.now();
    const reply = await request(`${url}/alert`, 'POST', JSON.stringify(alert), this.#agent);
    const unexpected = reply.status !== undefined && reply.status >= 300 && reply.failure === undefined;
    const record: RequestRecord = {
      kind: 'write',
      key,
      connection: keepAlive ? 'kept' : 'new',
      port: reply.port,
      startMs,
      latencyMs: performance.now() - startedMs,
      status: reply.status,
      code: problemCode(reply),
      failure: unexpected ? 'other' : reply.failure,
      detail: unexpected ? `${reply.status}` : reply.detail,
      ...(newField && { isNewFieldTaken: reply.text.includes(JSON.stringify(newFieldOf(key))) }),
    };
    if (isAcknowledged(record)) this.#acknowledged.push(key);
    onRecord(record);
  }

  /** Half of the time the newest, which a worker that lags would not know; else any. */
  async #read(): Promise<void> {
    const { url, keepAlive, random, onRecord } = this.#options;
    const any = Math.floor(random() * this.#acknowledged.length);
    const key = random() < 0.5 ? this.#acknowledged.at(-1) : this.#acknowledged[any];
    if (key === undefined) return;
    const startMs = Date.now();
    const startedMs = performance.now();
    const reply = await request(`${url}/alert/movie/${key}`, 'GET', undefined, this.#agent);
    const isWrong = reply.failure === undefined && !(reply.status === 200 && holds(reply.text, key));
    onRecord({
      kind: 'read',
      key,
      connection: keepAlive ? 'kept' : 'new',
      port: reply.port,
      startMs,
      latencyMs: performance.now() - startedMs,
      status: reply.status,
      code: problemCode(reply),
      failure: isWrong ? 'wrong' : reply.failure,
      detail: isWrong ? `${reply.status} ${reply.text.slice(0, 200)}` : reply.detail,
    });
  }
}

function holds(text: string, key: string): boolean {
  try {
    const read = JSON.parse(text);
    return Object.entries(alertFor(key)).every(([field, value]) => read[field] === value);
  } catch {
    return false;
  }
}

function problemCode({ status, text }: Reply): string | undefined {
  if (status === undefined || status < 400) return undefined;
  try {
    return (JSON.parse(text) as { code?: string }).code;
  } catch {
    return undefined;
  }
}
