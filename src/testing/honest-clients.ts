import http from 'node:http';

const HUNG_AFTER_MS = 20_000;

/** A request in an app's own terms. */
export interface TestRequest {
  readonly method?: string;
  /** Below the base of the API. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What became of one write. */
export interface TestRecord {
  readonly sequence: number;
  /** Undefined when no answer came. */
  readonly status: number | undefined;
  /** The answer, where it was JSON. */
  readonly body: unknown;
  /** The system error that stood in place of an answer. */
  readonly error: string | undefined;
  readonly latencyMs: number;
}

export interface HonestClientsOptions {
  /** Base of the API. */
  readonly url: string;
  readonly connections: number;
  /** Makes the write with this number, unlike any other. */
  readonly write: (sequence: number) => TestRequest;
  /** Reads what a write has made; it has to be answered with 200, and in the same words as the write. */
  readonly read: (written: TestRecord) => TestRequest;
}

/**
 * Clients that write as fast as they are answered, never retry, and remember every answer, so that a history can be held
 * against what is there afterwards. States: running → stopping (`stop`) → done.
 */
export class HonestClients {
  readonly records: TestRecord[] = [];
  readonly #options: HonestClientsOptions;
  readonly #agent: http.Agent;
  readonly #done: Promise<unknown>;
  #stopping = false;
  #sequence = 0;

  constructor(options: HonestClientsOptions) {
    this.#options = options;
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: options.connections });
    this.#done = Promise.all(Array.from({ length: options.connections }, () => this.#lane()));
  }

  get acknowledged(): TestRecord[] {
    return this.records.filter(isAcknowledged);
  }

  /** Resolves when every request under way has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /** Those that promise nothing: refused, or without an answer, as when the worker dies that has the request. */
  get failed(): TestRecord[] {
    return this.records.filter((record) => !isAcknowledged(record));
  }

  /**
   * Holds the history against what is served now.
   * @param url of a system that was started anew, or restored
   * @returns what was acknowledged and is not there as it was, in words; it is empty for an honest system
   */
  async lost(url = this.#options.url): Promise<string[]> {
    const lost: string[] = [];
    for (const record of this.acknowledged) {
      const found = await this.#send(record.sequence, this.#options.read(record), url);
      if (found.status === 200 && JSON.stringify(found.body) === JSON.stringify(record.body)) continue;
      lost.push(`write ${record.sequence} was acknowledged, and is read as ${found.error ?? found.status}`);
    }
    return lost;
  }

  async #lane(): Promise<void> {
    while (!this.#stopping) {
      const sequence = ++this.#sequence;
      this.records.push(await this.#send(sequence, this.#options.write(sequence), this.#options.url));
    }
  }

  #send(
    sequence: number,
    { method = 'GET', path, body, headers }: TestRequest,
    url: string,
  ): Promise<TestRecord> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const startMs = performance.now();
    return new Promise((resolve) => {
      const end = (status: number | undefined, answer: string, error?: string) =>
        resolve({ sequence, status, body: parsed(answer), error, latencyMs: performance.now() - startMs });
      const request = http.request(`${url}${path}`, {
        method,
        agent: this.#agent,
        timeout: HUNG_AFTER_MS,
        headers: {
          ...(text !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(text),
          }),
          ...headers,
        },
      });
      request.on('response', (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          answer += chunk;
        });
        response.on('end', () => end(response.statusCode, answer));
        response.on('error', (error) => end(undefined, '', error.message));
      });
      request.on('timeout', () => request.destroy(new Error('no answer came')));
      request.on('error', (error) => end(undefined, '', error.message));
      request.end(text);
    });
  }
}

function isAcknowledged({ status }: TestRecord): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
