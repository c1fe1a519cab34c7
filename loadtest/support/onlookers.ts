import http from 'node:http';
import { join } from 'node:path';

/** Nobody scrapes more often than this. */
const SCRAPE_INTERVAL_MS = 1000;

/** An operator who watches the system: the event stream of the page /ops, and a scrape of the metrics each second. */
export class Onlookers {
  readonly #socketPath: string;
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #timer: NodeJS.Timeout;
  #scrapes = 0;
  #events = 0;

  /** @param dataDir of a system on this machine with the default OPS_LISTEN */
  constructor(dataDir: string) {
    this.#socketPath = join(dataDir, 'run', 'ops.sock');
    this.#get('/ops/live', () => {
      this.#events += 1;
    });
    this.#timer = setInterval(() => this.#scrape(), SCRAPE_INTERVAL_MS);
  }

  /**
   * Ends them.
   * @throws Error when they saw nothing: their cost then means nothing
   */
  close(): void {
    clearInterval(this.#timer);
    this.#agent.destroy();
    if (this.#scrapes === 0 || this.#events === 0) {
      throw new Error(`${this.#scrapes} scrapes and ${this.#events} events: nobody looked`);
    }
  }

  #scrape(): void {
    this.#get('/metrics', () => {
      this.#scrapes += 1;
    });
  }

  #get(path: string, onData: () => void): void {
    http
      .get({ socketPath: this.#socketPath, path, agent: this.#agent }, (response) => {
        if (response.statusCode === 200) response.on('data', onData);
        else response.resume();
        response.on('error', () => {});
      })
      .on('error', () => {});
  }
}
