import http from 'node:http';

/** What became of one write. */
export interface WriteRecord {
  readonly movieId: string;
  readonly title: string;
  /** Undefined when no answer came. */
  readonly status: number | undefined;
  /** The system error that stood in place of an answer. */
  readonly error: string | undefined;
  readonly latencyMs: number;
}

export interface HonestClientsOptions {
  /** Base of the API. */
  readonly url: string;
  readonly connections: number;
  /** A prefix that makes this run's keys unlike any other's. */
  readonly prefix: string;
  /** Past this without an answer, a request counts as hung. */
  readonly hungAfterMs: number;
  /** Whether connections are kept between requests. */
  readonly keepAlive?: boolean;
}

/**
 * Clients that write as fast as they are answered, never retry, and remember every answer, so that a history can be
 * held against the database afterwards. Each write has its own key. States: running → stopping (`stop`) → done.
 */
export class HonestClients {
  readonly records: WriteRecord[] = [];
  readonly #options: HonestClientsOptions;
  readonly #agent: http.Agent;
  readonly #done: Promise<unknown>;
  #stopping = false;
  #sequence = 0;

  constructor(options: HonestClientsOptions) {
    this.#options = options;
    this.#agent = new http.Agent({ keepAlive: options.keepAlive ?? true, maxSockets: options.connections });
    this.#done = Promise.all(Array.from({ length: options.connections }, () => this.#lane()));
  }

  get acknowledged(): WriteRecord[] {
    return this.records.filter(({ status }) => status === 200 || status === 201);
  }

  get failed(): WriteRecord[] {
    return this.records.filter(({ status }) => status !== 200 && status !== 201);
  }

  /** Resolves when every request under way has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
    this.#agent.destroy();
  }

  async #lane(): Promise<void> {
    while (!this.#stopping) {
      const movieId = `${this.#options.prefix}-${++this.#sequence}`;
      this.records.push(await this.#write(movieId));
    }
  }

  #write(movieId: string): Promise<WriteRecord> {
    const title = `Title of ${movieId}`;
    const body = JSON.stringify({
      movieId,
      title,
      email: 'someone@example.org',
      notification_date: '2030-01-31',
      category: 'drama',
      imageUrl: 'https://example.org/cover.png',
    });
    const startMs = performance.now();
    return new Promise((resolve) => {
      const end = (status: number | undefined, error?: string) =>
        resolve({ movieId, title, status, error, latencyMs: performance.now() - startMs });
      const request = http.request(
        `${this.#options.url}/alert`,
        {
          method: 'POST',
          agent: this.#agent,
          timeout: this.#options.hungAfterMs,
          headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
        },
        (response) => {
          response.resume();
          response.on('end', () => end(response.statusCode));
          response.on('error', (error: NodeJS.ErrnoException) => end(undefined, error.code ?? error.message));
        },
      );
      request.on('timeout', () => request.destroy(Object.assign(new Error('hung'), { code: 'HUNG' })));
      request.on('error', (error: NodeJS.ErrnoException) => end(undefined, error.code ?? error.message));
      request.end(body);
    });
  }
}
