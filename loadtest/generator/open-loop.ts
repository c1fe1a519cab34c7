import type { Agent } from 'node:http';
import { clientOf } from '../support/http-client.ts';
import { idMaker, type Loop, type LoopOptions, type LoopTotals, REQUEST_TIMEOUT_MS } from './loop.ts';
import { histogram, latencyOf } from './recorder.ts';

const TICK_MS = 1;
const US_PER_MS = 1000;

/**
 * Requests are due at a fixed rate, the n-th at n / rate, whatever happens to the earlier ones. Latency counts from the
 * due time: if the server is slow and a request waits for a free connection, the wait counts (no coordinated omission).
 * autocannon's `connectionRate` and `overallRate` differ: each connection sends its share in a burst at the beginning
 * of a second, each request after the answer to the last, so a slow answer delays the requests behind it; and the
 * correction then assumes that a request was due every `Math.ceil(1 / rate)` = 1 ms.
 *
 * States of a request: due (in #due) → sent (counted in #busy) → ended.
 */
export function startOpenLoop(options: LoopOptions): Loop {
  return new OpenLoop(options);
}

class OpenLoop implements Loop {
  readonly #options: LoopOptions;
  readonly #agent: Agent;
  readonly #newId = idMaker();
  readonly #delayUs = histogram(3);
  readonly #intervalMs: number;
  readonly #beginMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #finished = Promise.withResolvers<void>();
  /** Due times of the requests without a connection yet, oldest first. */
  readonly #due: number[] = [];
  /** Numbers of the free connections. */
  readonly #free: number[];
  readonly #next: number[];
  #busy = 0;
  #scheduled = 0;
  #isFinishing = false;
  #errors = 0;
  #timeouts = 0;
  #non2xx = 0;
  readonly #statuses: Record<string, number> = {};
  answers = 0;

  constructor(options: LoopOptions) {
    const { connections, ratePerSecond } = options.order.load;
    this.#options = options;
    this.#intervalMs = 1000 / ratePerSecond!;
    this.#agent = new (clientOf(options.order.url).Agent)({
      keepAlive: true,
      maxSockets: connections,
      scheduling: 'fifo',
    });
    this.#free = Array.from({ length: connections }, (_, index) => index);
    this.#next = this.#free.map(() => 0);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  async finish(): Promise<LoopTotals> {
    clearInterval(this.#timer);
    this.#isFinishing = true;
    this.#send();
    this.#endWhenIdle();
    const deadline = setTimeout(() => this.#finished.resolve(), REQUEST_TIMEOUT_MS);
    await this.#finished.promise;
    clearTimeout(deadline);
    // Requests that still wait for a connection have timed out.
    for (const dueMs of this.#due) this.#options.recorder.failed(dueMs);
    this.#timeouts += this.#due.length + this.#busy;
    this.#agent.destroy();
    return {
      failures: { errors: this.#errors, lost: 0, timeouts: this.#timeouts, non2xx: this.#non2xx },
      statuses: this.#statuses,
      generatorDelayMs: latencyOf(this.#delayUs),
    };
  }

  #tick(): void {
    const nowMs = performance.now();
    for (;;) {
      const dueMs = this.#beginMs + this.#scheduled * this.#intervalMs;
      if (dueMs > nowMs) break;
      this.#scheduled += 1;
      // A connection is free: if the request is late, this process is late.
      if (this.#free.length > this.#due.length) {
        this.#delayUs.record(Math.max(1, Math.round((nowMs - dueMs) * US_PER_MS)));
      }
      this.#due.push(dueMs);
    }
    this.#send();
  }

  #send(): void {
    while (this.#due.length > 0 && this.#free.length > 0)
      this.#start(this.#free.shift()!, this.#due.shift()!);
  }

  #start(connection: number, dueMs: number): void {
    const { order, requestsOf, recorder } = this.#options;
    const requests = requestsOf(connection);
    const index = this.#next[connection]!;
    this.#next[connection] = (index + 1) % requests.length;
    const { method, path, headers, body } = requests[index]!;
    const bytes = body?.(this.#newId());
    const length = bytes === undefined ? {} : { 'Content-Length': Buffer.byteLength(bytes) };
    let hasEnded = false;
    const end = (count: () => void) => {
      if (hasEnded) return;
      hasEnded = true;
      count();
      this.#busy -= 1;
      this.#free.push(connection);
      this.#send();
      this.#endWhenIdle();
    };
    const fail = (error: NodeJS.ErrnoException) =>
      end(() => {
        if (error.code === 'ETIMEDOUT') this.#timeouts += 1;
        else this.#errors += 1;
        recorder.failed(dueMs);
      });
    this.#busy += 1;
    const sent = clientOf(order.url).request(
      `${order.url}${path}`,
      { method, agent: this.#agent, headers: { ...headers, ...length }, timeout: REQUEST_TIMEOUT_MS },
      (response) => {
        response.resume();
        response.once('error', fail);
        response.once('end', () => end(() => this.#answered(dueMs, response.statusCode!)));
      },
    );
    sent.once('error', fail);
    sent.once('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
    sent.end(bytes);
  }

  #answered(dueMs: number, status: number): void {
    const isWanted = status >= 200 && status < 300;
    this.answers += 1;
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    if (!isWanted) this.#non2xx += 1;
    this.#options.recorder.answered(dueMs, performance.now() - dueMs, isWanted);
  }

  #endWhenIdle(): void {
    if (this.#isFinishing && this.#busy === 0 && this.#due.length === 0) this.#finished.resolve();
  }
}
