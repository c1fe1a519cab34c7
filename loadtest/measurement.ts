/** How hard and how long a scenario runs. */
export interface Load {
  /** Keep-alive connections, each with one request under way. */
  readonly connections: number;
  /** Load before the measured time, to compile code and fill caches. */
  readonly warmupMs: number;
  readonly durationMs: number;
  /**
   * Requests begin at this rate, whatever happens to the earlier ones (open loop). Undefined: each connection sends its
   * next request when the last is answered (closed loop).
   */
  readonly ratePerSecond?: number | undefined;
  /** How many characters longer than usual a written alert is. */
  readonly extraChars?: number;
  /** The generator of a closed loop; autocannon by default. */
  readonly generator?: Generator;
}

/** wrk is lighter, but must be installed. A fixed rate has a generator of its own. */
export type Generator = 'wrk' | 'autocannon';

/** Failures by kind, the warm-up included. */
export interface Failures {
  /** Connections that were refused or broke. */
  readonly errors: number;
  /** Requests whose connection was closed before an answer came. */
  readonly lost: number;
  /** Requests without an answer in time; at a fixed rate also those without a free connection in time. */
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
  /** Its beginning, from the beginning of the measured time. */
  readonly atMs: number;
  readonly requests: number;
  /** Only failures whose time is known. */
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

/** The use of one process in the time before `atMs`. */
export interface ProcessSample {
  /** From the beginning of the measured time. */
  readonly atMs: number;
  /** Its role: `worker-1`, `writer`, `load generator`. */
  readonly name: string;
  readonly rssBytes: number;
  /** Share of one core. */
  readonly cpuPercent: number;
}

/** A line that the server logged, or a fault that was injected. */
export interface Mark {
  /** From the beginning of the measured time. */
  readonly atMs: number;
  readonly text: string;
}

/** The result of one run of a scenario. */
export interface Measurement {
  readonly scenario: string;
  readonly load: Load;
  /** ISO 8601. */
  readonly startedAt: string;
  /** The length of the measured time. */
  readonly durationMs: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** From the sending of the request; at a fixed rate from its due time. */
  readonly latencyMs: Latency;
  readonly percentiles: readonly Percentile[];
  readonly failures: Failures;
  /** Answers by status, the warm-up included. */
  readonly statuses: Readonly<Record<string, number>>;
  /** How late the load generator itself sent requests that had a free connection; only at a fixed rate. */
  readonly generatorDelayMs?: Latency | undefined;
  readonly intervals: readonly Interval[];
  readonly cpu: CpuUse;
  readonly processes: readonly ProcessSample[];
  readonly marks: readonly Mark[];
}

/** Processor time during the measured time, summed over the cores. */
export interface CpuUse {
  /** The load generator's. Near durationMs the generator is the limit, not the server. */
  readonly clientMs: number;
  /** That of all processes of the server; undefined where the platform does not give it. */
  readonly serverMs: number | undefined;
  /** That of everything else on the machine; undefined for the same reason. */
  readonly otherMs: number | undefined;
}

/** @returns how many requests failed */
export function failureCount({ errors, lost, timeouts, non2xx }: Failures): number {
  return errors + lost + timeouts + non2xx;
}

/** @returns the share of failed requests, in percent */
export function failedPercent({ failures, statuses }: Measurement): number {
  const answered = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  const failed = failureCount(failures);
  return (100 * failed) / Math.max(1, answered + failed - failures.non2xx);
}

/** @returns the measurements with failed requests, in words */
export function failureComplaints(measurements: readonly Measurement[]): string[] {
  return measurements
    .filter(({ failures }) => failureCount(failures) > 0)
    .map(({ scenario, failures: { errors, lost, timeouts, non2xx } }) => {
      return `${scenario}: failed requests: ${errors} errors, ${lost} lost, ${timeouts} timeouts, ${non2xx} not 2xx`;
    });
}
