import type { Measurement } from '../../../loadtest/measurement.ts';

/** @returns a measurement as a run gives it, apart from what is said */
export function measurementOf(parts: Partial<Measurement> = {}): Measurement {
  return {
    scenario: 'read',
    load: { connections: 50, warmupMs: 1000, durationMs: 1000 },
    startedAt: '2026-01-31T00:00:00.000Z',
    durationMs: 1000,
    requests: 1000,
    requestsPerSecond: 1000,
    latencyMs: { p50: 1, p90: 2, p99: 10, p999: 20, max: 30 },
    percentiles: [
      { percent: 0, ms: 1 },
      { percent: 99, ms: 10 },
    ],
    failures: { errors: 0, lost: 0, timeouts: 0, non2xx: 0 },
    statuses: { 200: 1000 },
    intervals: [
      { atMs: 0, requests: 500, failed: 0, p50Ms: 1, p99Ms: 10 },
      { atMs: 500, requests: 500, failed: 7, p50Ms: 1, p99Ms: 10 },
    ],
    cpu: { clientMs: 500, serverMs: 900, otherMs: 0 },
    processes: [{ atMs: 500, name: 'worker-1', rssBytes: 64 * 1024 * 1024, cpuPercent: 95 }],
    marks: [],
    ...parts,
  };
}
