/** How hard and how long a scenario runs. */
export interface Load {
  /** Keep-alive connections, each with one request under way. */
  readonly connections: number;
  /** Load before the measuring begins, so that code is compiled and caches are filled. */
  readonly warmupMs: number;
  readonly durationMs: number;
}

/** What went wrong, the warm-up included. */
export interface Failures {
  /** Connections that were refused or broke. */
  readonly errors: number;
  /** Requests whose connection was closed before an answer came. */
  readonly lost: number;
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
  readonly latencyMs: Latency;
  readonly failures: Failures;
  /** Answers by status, the warm-up included. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly cpu: CpuUse;
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

/** @returns in words, which of them had requests that failed */
export function failureComplaints(measurements: readonly Measurement[]): string[] {
  return measurements
    .filter(({ failures }) => failureCount(failures) > 0)
    .map(({ scenario, failures: { errors, lost, timeouts, non2xx } }) => {
      return `${scenario}: failed requests: ${errors} errors, ${lost} lost, ${timeouts} timeouts, ${non2xx} not 2xx`;
    });
}
