import type { Histogram, Meter } from '../metrics/meter.ts';

const MS_PER_S = 1000;
/** A request that no route took. */
const NO_ROUTE = 'none';

/** Counts the requests of this process by method, route and status: each at most a handful, whatever clients send. */
export class RequestMeter {
  readonly #meter: Meter;
  readonly #histograms = new Map<string, Histogram>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /**
   * @param route its pattern
   * @param status as it was answered; 'aborted' when the client went away before that
   */
  count(method: string, route: string | undefined, status: number | 'aborted', durationMs: number): void {
    const key = `${method} ${route} ${status}`;
    let histogram = this.#histograms.get(key);
    if (histogram === undefined) {
      const labels = { method, route: route ?? NO_ROUTE, status: String(status) };
      histogram = this.#meter.histogram('http_request_duration_seconds', labels);
      this.#histograms.set(key, histogram);
    }
    histogram.observe(durationMs / MS_PER_S);
  }
}
