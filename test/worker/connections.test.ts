import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { http } from '../../src/platform/node-http.ts';
import { Connections } from '../../src/worker/connections.ts';
import { listenUnreachably } from '../../src/worker/unreachable-listener.ts';
import { temporaryFolder } from '../support/system.ts';

/** Hands every connection that it takes to a server that nobody can connect to, as the primary does. */
async function serveBy(t: Test, server: Server, runDir = temporaryFolder(t)): Promise<number> {
  await listenUnreachably(server, runDir, createLog('test', 'silent', 'json'));
  const connections = new Connections(server);
  const front = createServer({ pauseOnConnect: true }, (socket) => {
    connections.adopt(socket);
    socket.resume();
  });
  t.teardown(() => {
    front.close();
    server.close();
    server.closeAllConnections();
  });
  await once(front.listen(0, '127.0.0.1'), 'listening');
  return (front.address() as AddressInfo).port;
}

t.test('a server that nobody can connect to ends a request that is too slow all the same', async (t) => {
  const server = http().createServer({ headersTimeout: 100, connectionsCheckingInterval: 20 });
  const port = await serveBy(t, server);
  const refused = once(server, 'clientError', { signal: AbortSignal.timeout(10_000) });
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: localh');
  const [{ code }] = await refused;
  t.equal(code, 'ERR_HTTP_REQUEST_TIMEOUT');
});

t.test('where it listens no file is left, and the folder may be one that nobody can write', async (t) => {
  const runDir = temporaryFolder(t);
  const server = http().createServer((_req, res) => res.end('answered'));
  await serveBy(t, server, runDir);
  t.ok(server.listening);
  t.strictSame(readdirSync(runDir), []);
  const without = http().createServer((_req, res) => res.end('answered'));
  const port = await serveBy(t, without, join(runDir, 'missing'));
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  t.equal(await answer.text(), 'answered', 'it serves all the same');
});
