/** How hard and how long a scenario runs. */
export interface Load {
  /** Keep-alive connections, each with one request under way. */
  readonly connections: number;
  /** Load before the measuring begins, so that code is compiled and caches are filled. */
  readonly warmupMs: number;
  readonly durationMs: number;
  /**
   * Requests begin at this rate, whatever becomes of those before them (open loop). Undefined: each connection sends
   * its next request when it has the answer to its last (closed loop).
   */
  readonly ratePerSecond?: number | undefined;
  /** How much longer than usual the alerts are that are written. */
  readonly extraChars?: number;
  /** Who sends in a closed loop; without it autocannon. */
  readonly generator?: Generator;
}

/** wrk is lighter, but has to be there; a fixed rate has a generator of its own. */
export type Generator = 'wrk' | 'autocannon';

/** What went wrong, the warm-up included. */
export interface Failures {
  /** Connections that were refused or broke. */
  readonly errors: number;
  /** Requests whose connection was closed before an answer came. */
  readonly lost: number;
  /** No answer in time; at a fixed rate also those for which no connection was free in time. */
  readonly timeouts: number;
  readonly non2xx: number;
}

export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** A part of the measured time. */
export interface Interval {
  /** Its beginning, from the beginning of the measuring. */
  readonly atMs: number;
  readonly requests: number;
  /** As far as it is known when they failed. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A point of the percentile curve. */
export interface Percentile {
  /** From 0 to 100. */
  readonly percent: number;
  readonly ms: number;
}

/** What one process took in the time before `atMs`. */
export interface ProcessSample {
  /** From the beginning of the measuring. */
  readonly atMs: number;
  /** What it plays: `worker-1`, `writer`, `load generator`. */
  readonly name: string;
  readonly rssBytes: number;
  /** Of one core. */
  readonly cpuPercent: number;
}

/** Something that the server logged, or that was done to it. */
export interface Mark {
  /** From the beginning of the measuring. */
  readonly atMs: number;
  readonly text: string;
}

/** What one run of a scenario gave. */
export interface Measurement {
  readonly scenario: string;
  readonly load: Load;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Of the measured part. */
  readonly durationMs: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** From the request's sending; at a fixed rate from the moment when it was due. */
  readonly latencyMs: Latency;
  readonly percentiles: readonly Percentile[];
  readonly failures: Failures;
  /** Answers by status, the warm-up included. */
  readonly statuses: Readonly<Record<string, number>>;
  /** How late the load generator itself was with requests that had a free connection; only at a fixed rate. */
  readonly generatorDelayMs?: Latency | undefined;
  readonly intervals: readonly Interval[];
  readonly cpu: CpuUse;
  readonly processes: readonly ProcessSample[];
  readonly marks: readonly Mark[];
}

/** Processor time during the measured part, summed over the cores. */
export interface CpuUse {
  /** Of the load generator: near durationMs, it and not the server sets the limit. */
  readonly clientMs: number;
  /** Of all the server's processes; undefined where the platform does not tell. */
  readonly serverMs: number | undefined;
  /** Of everything else on the machine; undefined for the same reason. */
  readonly otherMs: number | undefined;
}

/** @returns how many requests did not get the answer that they should */
export function failureCount({ errors, lost, timeouts, non2xx }: Failures): number {
  return errors + lost + timeouts + non2xx;
}

/** @returns their share of all requests, in percent */
export function failedPercent({ failures, statuses }: Measurement): number {
  const answered = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  const failed = failureCount(failures);
  return (100 * failed) / Math.max(1, answered + failed - failures.non2xx);
}

/** @returns in words, which of them had requests that failed */
export function failureComplaints(measurements: readonly Measurement[]): string[] {
  return measurements
    .filter(({ failures }) => failureCount(failures) > 0)
    .map(({ scenario, failures: { errors, lost, timeouts, non2xx } }) => {
      return `${scenario}: failed requests: ${errors} errors, ${lost} lost, ${timeouts} timeouts, ${non2xx} not 2xx`;
    });
}
