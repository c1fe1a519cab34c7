import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startOpenLoop } from '../../../loadtest/generator/open-loop.ts';
import { Recorder } from '../../../loadtest/generator/recorder.ts';
import { like } from '../../support/like.ts';

const RATE = 100;
const DURATION_MS = 600;
const STALL_MS = 400;

/** Puts load on a server at a fixed rate over one connection. */
async function drive(t: Test, listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const load = { connections: 1, warmupMs: 0, durationMs: DURATION_MS, ratePerSecond: RATE };
  const recorder = new Recorder(DURATION_MS);
  recorder.begin(performance.now());
  const loop = startOpenLoop({
    order: { scenario: 'read', url, load, seededAlerts: 0, pages: [] },
    requestsOf: () => [{ method: 'POST', path: '/', body: (id) => id }],
    recorder,
  });
  await new Promise((resolve) => setTimeout(resolve, DURATION_MS));
  recorder.end(performance.now());
  return { totals: await loop.finish(), recorder };
}

t.test('one slow answer counts for every request that was due behind it', async (t) => {
  const bodies: string[] = [];
  const { totals, recorder } = await drive(t, async (req, res) => {
    const isFirst = bodies.length === 0;
    for await (const chunk of req) bodies.push(String(chunk));
    if (isFirst) await new Promise((resolve) => setTimeout(resolve, STALL_MS));
    res.end();
  });
  like(t, totals.failures, { errors: 0, lost: 0, timeouts: 0, non2xx: 0 });
  t.ok(recorder.requests >= (DURATION_MS / 1000) * RATE * 0.9, 'all that were due were sent, if late');
  // 40 were due within the stall, one every 10 ms: a third of all waited more than half of it. A client that sends
  // its next request when it has the last answer would have seen a single slow one.
  t.ok(recorder.percentiles.find(({ percent }) => percent > 75)!.ms > STALL_MS / 2);
  t.ok(recorder.latencyMs.max >= STALL_MS);
  t.equal(new Set(bodies).size, bodies.length, 'no two requests are the same');
  t.equal(totals.statuses[200], bodies.length);
});

t.test('an answer that is no success, and a connection that breaks, are told apart', async (t) => {
  let count = 0;
  const { totals, recorder } = await drive(t, (req, res) => {
    count += 1;
    req.resume();
    if (count % 2 === 0) req.socket.destroy();
    else res.writeHead(503).end();
  });
  t.ok(totals.failures.errors > 0);
  t.equal(totals.failures.non2xx, totals.statuses[503]);
  t.equal(
    recorder.intervals.some(({ failed }) => failed > 0),
    true,
    'they stand in their interval',
  );
});
