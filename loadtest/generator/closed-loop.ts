import autocannon from 'autocannon';
import type { ScenarioRequest } from '../scenarios.ts';
import { idMaker, type Loop, type LoopOptions, type LoopTotals, REQUEST_TIMEOUT_MS } from './loop.ts';

/** How often autocannon checks whether to stop. */
const SAMPLE_INTERVAL_MS = 50;
/** autocannon runs until it is stopped; its own duration, longer by this, is only the last resort. */
const SPARE_S = 20;

/** Each connection sends its next request when the last is answered, so the server sets the pace. */
export function startClosedLoop({ order, requestsOf, recorder }: LoopOptions): Loop {
  const { load, url } = order;
  const { promise, resolve, reject } = Promise.withResolvers<LoopTotals>();
  let connection = 0;
  let answers = 0;
  const instance = autocannon(
    {
      url,
      connections: load.connections,
      duration: Math.ceil((load.warmupMs + load.durationMs) / 1000) + SPARE_S,
      timeout: REQUEST_TIMEOUT_MS / 1000,
      sampleInt: SAMPLE_INTERVAL_MS,
      setupClient(client) {
        const newId = idMaker();
        client.setRequests(requestsOf(connection++).map((request) => forAutocannon(request, newId)));
      },
    },
    (error: Error | null, result) => {
      if (error) reject(error);
      else resolve(totalsOf(result, load.connections));
    },
  );
  instance.on('response', (_client, status, _bytes, responseMs) => {
    answers += 1;
    recorder.answered(performance.now(), responseMs, status >= 200 && status < 300);
  });
  instance.on('reqError', () => recorder.failed(performance.now()));
  return {
    get answers() {
      return answers;
    },
    finish() {
      instance.stop();
      return promise;
    },
  };
}

function forAutocannon({ body, ...request }: ScenarioRequest, newId: () => string): autocannon.Request {
  if (body === undefined) return { ...request };
  return { ...request, setupRequest: (prepared) => ({ ...prepared, body: body(newId()) }) };
}

function totalsOf(result: autocannon.Result, connections: number): LoopTotals {
  const { errors, timeouts, non2xx } = result;
  const answers = result['1xx'] + result['2xx'] + result['3xx'] + result['4xx'] + result['5xx'];
  // When the server closes a connection that waits for an answer, autocannon silently reconnects: such a request is
  // sent and never answered. At the end each connection has one more request under way, which is not lost.
  const lost = Math.max(0, result.requests.sent - answers - errors - connections);
  const statuses = Object.entries(result.statusCodeStats ?? {}).map(([status, { count }]) => {
    return [status, count ?? 0] as const;
  });
  return {
    failures: { errors: errors - timeouts, lost, timeouts, non2xx },
    statuses: Object.fromEntries(statuses),
  };
}
