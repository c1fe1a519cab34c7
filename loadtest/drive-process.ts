import { createHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import type { DriveOrder, DriveReport } from './drive.ts';
import type { Latency, Measurement } from './measurement.ts';
import { scenarioOf } from './scenarios.ts';

const REQUEST_TIMEOUT_S = 10;
/** How often autocannon looks whether it shall stop. */
const SAMPLE_INTERVAL_MS = 50;
/** autocannon runs until it is stopped here; its own clock is only the last resort. */
const SPARE_S = 20;
const US_PER_MS = 1000;

/** The load generator's entry: drives one scenario and tells the parent what came of it. */
process.once('message', (order: DriveOrder) => run(order));
process.once('disconnect', () => process.exit());

function run({ scenario: name, url, load }: DriveOrder): void {
  const scenario = scenarioOf(name);
  // autocannon's own histogram cuts latencies down to whole milliseconds.
  const latencyUs = createHistogram({ figures: 3 });
  let connection = 0;
  let isMeasuring = false;
  let ofLastSecond = 0;
  let startedAt = '';
  let startMs = 0;
  let durationMs = 0;
  let cpu = process.cpuUsage();

  const instance = autocannon(
    {
      url,
      connections: load.connections,
      duration: Math.ceil((load.warmupMs + load.durationMs) / 1000) + SPARE_S,
      timeout: REQUEST_TIMEOUT_S,
      sampleInt: SAMPLE_INTERVAL_MS,
      idReplacement: scenario.hasNewIds,
      setupClient: (client) => client.setRequests(scenario.requests(connection++, load.connections)),
    },
    (error: Error | null, result) => {
      if (error) throw error;
      const measurement: Measurement = {
        scenario: name,
        load,
        startedAt,
        durationMs,
        requests: latencyUs.count,
        requestsPerSecond: (latencyUs.count * 1000) / durationMs,
        latencyMs: latencyOf(latencyUs),
        failures: failuresOf(result, load.connections),
        statuses: Object.fromEntries(
          Object.entries(result.statusCodeStats ?? {}).map(([status, { count }]) => [status, count ?? 0]),
        ),
        cpu: { clientMs: (cpu.user + cpu.system) / US_PER_MS, serverMs: undefined, otherMs: undefined },
      };
      report({ kind: 'result', measurement });
    },
  );
  instance.on('response', (_client, _status, _bytes, responseMs) => {
    ofLastSecond += 1;
    if (isMeasuring) latencyUs.record(Math.max(1, Math.round(responseMs * US_PER_MS)));
  });
  setInterval(() => {
    report({ kind: 'second', requests: ofLastSecond });
    ofLastSecond = 0;
  }, 1000);
  setTimeout(() => {
    isMeasuring = true;
    startedAt = new Date().toISOString();
    startMs = performance.now();
    cpu = process.cpuUsage();
    report({ kind: 'measuring' });
  }, load.warmupMs);
  setTimeout(() => {
    isMeasuring = false;
    durationMs = performance.now() - startMs;
    cpu = process.cpuUsage(cpu);
    report({ kind: 'measured' });
    instance.stop();
  }, load.warmupMs + load.durationMs);
}

function latencyOf(latencyUs: ReturnType<typeof createHistogram>): Latency {
  const atMs = (percentile: number) => latencyUs.percentile(percentile) / US_PER_MS;
  return { p50: atMs(50), p90: atMs(90), p99: atMs(99), p999: atMs(99.9), max: latencyUs.max / US_PER_MS };
}

function failuresOf(result: autocannon.Result, connections: number): Measurement['failures'] {
  const { errors, timeouts, non2xx } = result;
  const answers = result['1xx'] + result['2xx'] + result['3xx'] + result['4xx'] + result['5xx'];
  // autocannon connects anew, and says nothing, when the server ends a connection that waits for an answer. At the
  // end each connection has one request under way.
  const lost = Math.max(0, result.requests.sent - answers - errors - connections);
  return { errors: errors - timeouts, lost, timeouts, non2xx };
}

function report(message: DriveReport): void {
  process.send?.(message);
}
