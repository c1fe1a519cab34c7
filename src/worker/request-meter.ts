import type { Histogram, Meter } from '../metrics/meter.ts';

const MS_PER_S = 1000;
/** Label of a request that no route took. */
const NO_ROUTE = 'none';

/** Counts the requests of this process by method, route and status. Each has few values, whatever clients send. */
export class RequestMeter {
  readonly #meter: Meter;
  /** By route, then by status, then by method. */
  readonly #histograms = new Map<string | undefined, Map<number | 'aborted', Map<string, Histogram>>>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /**
   * @param route the pattern of the route
   * @param status the status of the answer; 'aborted' when the client went away before it
   */
  count(method: string, route: string | undefined, status: number | 'aborted', durationMs: number): void {
    // Nested maps, because a combined key would be a new string, to be hashed again on each request.
    const histogram =
      this.#histograms.get(route)?.get(status)?.get(method) ?? this.#add(method, route, status);
    histogram.observe(durationMs / MS_PER_S);
  }

  #add(method: string, route: string | undefined, status: number | 'aborted'): Histogram {
    const labels = { method, route: route ?? NO_ROUTE, status: String(status) };
    const histogram = this.#meter.histogram('http_request_duration_seconds', labels);
    const ofRoute = this.#histograms.get(route) ?? new Map();
    const ofStatus = ofRoute.get(status) ?? new Map();
    this.#histograms.set(route, ofRoute.set(status, ofStatus.set(method, histogram)));
    return histogram;
  }
}
