import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { http } from '../../src/platform/node-http.ts';
import { Connections } from '../../src/worker/connections.ts';

/** Hands every connection that it takes to a server that does not listen itself, as the primary does. */
async function serveBy(t: Test, server: Server): Promise<number> {
  const connections = new Connections(server);
  const front = createServer({ pauseOnConnect: true }, (socket) => connections.adopt(socket));
  t.teardown(() => {
    front.close();
    server.closeAllConnections();
  });
  await once(front.listen(0, '127.0.0.1'), 'listening');
  return (front.address() as AddressInfo).port;
}

t.test('a server that does not listen itself ends a request that is too slow all the same', async (t) => {
  const server = http().createServer({ headersTimeout: 100, connectionsCheckingInterval: 20 });
  const port = await serveBy(t, server);
  const refused = once(server, 'clientError', { signal: AbortSignal.timeout(10_000) });
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: localh');
  const [{ code }] = await refused;
  t.equal(code, 'ERR_HTTP_REQUEST_TIMEOUT');
});
