import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { drive } from '../../../loadtest/drive.ts';
import { failureCount, type Generator } from '../../../loadtest/measurement.ts';

const LOAD = { connections: 4, warmupMs: 1000, durationMs: 1000 };

/** What a server has got of a load. */
async function serve(t: Test) {
  const ids: string[] = [];
  const headers: (string | undefined)[] = [];
  let connections = 0;
  let requests = 0;
  const server = createServer(async (req, res) => {
    requests += 1;
    headers.push(req.headers.authorization);
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    // What is no JSON, such as a body that was cut, would fail here.
    if (chunks.length > 0) ids.push(JSON.parse(Buffer.concat(chunks).toString()).movieId);
    res.end('{}');
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const put = (scenario: string, generator: Generator) =>
    drive({
      scenario,
      url,
      load: { ...LOAD, generator },
      seededAlerts: 10,
      pages: [],
      headers: { Authorization: 'Bearer key' },
      target: { url, pid: undefined, stop: async () => {} },
      signal: new AbortController().signal,
    });
  const seen = () => ({ ids, headers, connections, requests });
  return { put, seen };
}

const skip = spawnSync('wrk', ['--version']).error !== undefined && 'needs wrk';

for (const generator of ['autocannon', 'wrk'] as const) {
  const options = { skip: generator === 'wrk' && skip };

  t.test(
    `${generator} sends every write with an id of its own, by lasting connections`,
    options,
    async (t) => {
      const { put, seen } = await serve(t);
      const measurement = await put('write', generator);
      const { ids, headers, connections } = seen();
      t.equal(new Set(ids).size, ids.length);
      t.ok(measurement.requests > 100 && measurement.requests < ids.length, 'the warm-up does not count');
      t.same([...new Set(headers)], ['Bearer key']);
      t.equal(failureCount(measurement.failures), 0);
      t.ok(measurement.latencyMs.p50 > 0 && measurement.latencyMs.p50 <= measurement.latencyMs.p99);
      // wrk connects anew behind the warm-up, and once to see that the server is there.
      t.ok(connections <= 4 * LOAD.connections, `${connections} connections`);
    },
  );
}

t.test('wrk makes a connection for each request that asks for it', { skip }, async (t) => {
  const { put, seen } = await serve(t);
  const measurement = await put('short-read', 'wrk');
  t.equal(failureCount(measurement.failures), 0);
  const { connections, requests } = seen();
  t.ok(connections >= requests && requests > 100, `${connections} connections, ${requests} requests`);
});
