import type { DriveOrder, DriveReport } from '../drive.ts';
import { scenarioOf } from '../scenarios.ts';
import { authorization } from '../support/http-client.ts';
import { startClosedLoop } from './closed-loop.ts';
import type { LoopOptions } from './loop.ts';
import { startOpenLoop } from './open-loop.ts';
import { Recorder } from './recorder.ts';
import { driveWithWrk } from './wrk.ts';

const US_PER_MS = 1000;
const TELL_INTERVAL_MS = 1000;

/** The load generator's entry: drives one scenario and sends the result to the parent. */
process.once('message', (order: DriveOrder) => void run(order));
process.once('disconnect', () => process.exit());

async function run(order: DriveOrder): Promise<void> {
  const { load } = order;
  const scenario = scenarioOf(order.scenario);
  const recorder = new Recorder(load.durationMs);
  const known = new Map<number, ReturnType<LoopOptions['requestsOf']>>();
  const requestsOf: LoopOptions['requestsOf'] = (connection) => {
    const requests =
      known.get(connection) ??
      scenario.requests({ ...order, ...load, connection }).map((request) => ({
        ...request,
        headers: { ...request.headers, ...authorization(), ...order.headers },
      }));
    known.set(connection, requests);
    return requests;
  };
  if (load.generator === 'wrk' && load.ratePerSecond === undefined) {
    await driveWithWrk(order, requestsOf, report);
    return;
  }
  const start = load.ratePerSecond === undefined ? startClosedLoop : startOpenLoop;
  const loop = start({ order, requestsOf, recorder });

  let told = 0;
  const telling = setInterval(() => {
    report({ kind: 'second', requests: loop.answers - told });
    told = loop.answers;
  }, TELL_INTERVAL_MS);

  await elapse(load.warmupMs);
  const startedAt = new Date().toISOString();
  let cpu = process.cpuUsage();
  recorder.begin(performance.now());
  report({ kind: 'measuring' });

  await elapse(load.durationMs);
  recorder.end(performance.now());
  cpu = process.cpuUsage(cpu);
  report({ kind: 'measured' });
  clearInterval(telling);
  const totals = await loop.finish();
  const { durationMs, requests, latencyMs, percentiles, intervals } = recorder;
  report({
    kind: 'result',
    measurement: {
      scenario: order.scenario,
      load,
      startedAt,
      durationMs,
      requests,
      requestsPerSecond: (requests * 1000) / durationMs,
      latencyMs,
      percentiles,
      intervals,
      ...totals,
      cpu: { clientMs: (cpu.user + cpu.system) / US_PER_MS, serverMs: undefined, otherMs: undefined },
      processes: [],
      marks: [],
    },
  });
}

function elapse(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function report(message: DriveReport): void {
  process.send?.(message);
}
