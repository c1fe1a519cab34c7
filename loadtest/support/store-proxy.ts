import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * The state of the way to the store:
 * - open: everything is passed
 * - refuse: nobody listens, and every connection breaks
 * - hang: connections are accepted, and their requests are never answered, not even later
 * - unavailable: 503 with S3's `SlowDown`
 * - slow: each request waits before it is passed
 * - cut: uploads break off half-way
 * - read-only: the credentials may read and not write
 * - keeping: nothing may be removed, as under an object lock
 * - page: each request is answered with a web page, as by a network that wants a login
 * - late: a listing is out of date
 * - deaf: a conditional write arrives, and its answer is lost
 */
export type Weather =
  | 'open'
  | 'refuse'
  | 'hang'
  | 'unavailable'
  | 'slow'
  | 'cut'
  | 'read-only'
  | 'page'
  | 'keeping'
  | 'late'
  | 'deaf';

/** A request that was passed, and the store's answer. */
export interface Passed {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly body: Buffer;
}

export const STORMS = ['refuse', 'hang', 'unavailable', 'slow', 'cut'] as const;

const SLOW_MS = 1500;
const LATE_MS = 15_000;
const SLOW_DOWN = { status: 503, code: 'SlowDown' };
const ACCESS_DENIED = { status: 403, code: 'AccessDenied' };

/** A proxy in front of an S3 store that simulates faults and counts requests. Its `Weather` is set by `become`. */
export class StoreProxy {
  readonly #target: URL;
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();
  readonly #agent = new http.Agent({ keepAlive: true });
  #weather: Weather = 'open';
  #port = 0;
  /** Requests that were passed, by method. */
  readonly counts: Record<string, number> = {};
  /** The uploads that were answered with a web page. */
  readonly lost: string[] = [];
  /** The listings that were out of date. */
  readonly late: string[] = [];
  readonly #listings = new Map<string, { readonly atMs: number; readonly body: Buffer }>();
  /** Bytes of the bodies passed on to the store. */
  uploadedBytes = 0;
  /** Delay of each passed request, as over a network. */
  latencyMs = 0;
  /** Called for each request that the store has answered, before its sender gets the answer. */
  onPassed: ((passed: Passed) => void) | undefined;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = http.createServer((request, response) => this.#serve(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
  }

  /** @param endpoint of the store */
  static async start(endpoint: string): Promise<StoreProxy> {
    const proxy = new StoreProxy(new URL(endpoint));
    await proxy.#listen();
    return proxy;
  }

  /** The value for S3_ENDPOINT; it does not change with the weather. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get weather(): Weather {
    return this.#weather;
  }

  async become(weather: Weather): Promise<void> {
    if (weather === this.#weather) return;
    const before = this.#weather;
    this.#weather = weather;
    if (weather === 'refuse') await this.#unlisten();
    else if (before === 'refuse') await this.#listen();
  }

  async close(): Promise<void> {
    await this.#unlisten();
    this.#agent.destroy();
  }

  async #listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #unlisten(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const weather = this.#weather;
    if (weather === 'hang') {
      // Never answered.
      request.resume();
    } else if (weather === 'unavailable') {
      refuse(request, response, SLOW_DOWN);
    } else if (
      weather === 'keeping' &&
      (request.method === 'DELETE' || /[?&]delete\b/.test(request.url ?? ''))
    ) {
      refuse(request, response, ACCESS_DENIED);
    } else if (weather === 'page') {
      if (request.method === 'PUT') this.lost.push(request.url ?? '');
      request.resume();
      response.writeHead(200, { 'Content-Type': 'text/html' });
      response.end('<html><body>Please log in</body></html>');
    } else if (weather === 'late' && this.#answerLate(request.url ?? '', response)) {
      request.resume();
    } else if (weather === 'read-only' && request.method !== 'GET' && request.method !== 'HEAD') {
      refuse(request, response, ACCESS_DENIED);
    } else if (weather === 'cut' && request.method === 'PUT') {
      this.#pass(request, response, true);
    } else {
      const waitMs = weather === 'slow' ? SLOW_MS : this.latencyMs;
      if (waitMs === 0) this.#pass(request, response);
      else setTimeout(() => this.#pass(request, response), waitMs);
    }
  }

  /** Answers with an earlier listing. @returns whether there is one that is not too old */
  #answerLate(url: string, response: http.ServerResponse): boolean {
    const known = this.#listings.get(listingIn(url));
    if (!known || performance.now() - known.atMs > LATE_MS) return false;
    this.late.push(url);
    response.writeHead(200, { 'Content-Type': 'application/xml', 'Content-Length': known.body.length });
    response.end(known.body);
    return true;
  }

  /** @param isCut whether the body breaks off after its first piece, on both sides */
  #pass(request: http.IncomingMessage, response: http.ServerResponse, isCut = false): void {
    const { method = 'GET', url, headers } = request;
    if (request.socket.destroyed) return;
    const { hostname, port } = this.#target;
    const passed = http.request({ hostname, port, method, path: url, headers, agent: this.#agent });
    const breakOff = () => {
      passed.destroy();
      request.socket.destroy();
    };
    passed.on('error', breakOff);
    request.on('error', breakOff);
    const body: Buffer[] = [];
    const { onPassed } = this;
    if (onPassed) request.on('data', (chunk: Buffer) => body.push(chunk));
    passed.on('response', (answer) => {
      const status = answer.statusCode ?? 502;
      onPassed?.({ method, url: url ?? '', status, body: Buffer.concat(body) });
      if (this.#weather === 'deaf' && (headers['if-match'] ?? headers['if-none-match'])) {
        answer.resume();
        request.socket.destroy();
        return;
      }
      if (this.#weather === 'late' && listingIn(url ?? '') !== '') {
        const atMs = performance.now();
        void buffer(answer).then((body) => this.#listings.set(listingIn(url ?? ''), { atMs, body }));
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.on('error', breakOff);
    });
    if (isCut) {
      request.once('data', (chunk: Buffer) => {
        passed.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), breakOff);
      });
      request.once('end', breakOff);
      return;
    }
    this.counts[method] = (this.counts[method] ?? 0) + 1;
    request.on('data', (chunk: Buffer) => {
      this.uploadedBytes += chunk.length;
    });
    request.pipe(passed);
  }
}

/** @returns the prefix that a request lists, from whatever key; empty for a request that does not list */
function listingIn(url: string): string {
  return new URL(url, 'http://store').searchParams.get('prefix') ?? '';
}

function refuse(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { status, code }: { readonly status: number; readonly code: string },
): void {
  request.resume();
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, { 'Content-Type': 'application/xml', 'Content-Length': body.length });
  response.end(body);
}
