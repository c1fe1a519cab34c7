import type { RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import { REQUEST_TIMEOUT_MS } from '../config/request-timeout.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { http } from '../platform/node-http.ts';
import { onClientError, sendProblem } from './middleware/client-error.ts';
import { isContinue } from './middleware/request-head.ts';

const HEADERS_TIMEOUT_MS = 10_000;
export const KEEP_ALIVE_TIMEOUT_MS = 72_000;
const CONNECTIONS_CHECK_INTERVAL_MS = 1000;

/**
 * @param app answers every request, also one that Node's server would refuse without a problem
 * @returns a server that answers also a client that has ended its own side behind its request (RFC 9112 9.6 has both
 *   sides close on their own)
 */
export function createHttpServer(app: RequestListener, log: Logger): Server {
  const server = http().createServer({
    noDelay: true,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: CONNECTIONS_CHECK_INTERVAL_MS,
    // Node answers with no body; the request pipeline refuses it with a problem.
    requireHostHeader: false,
  });
  server.on('request', app);
  // Without a listener Node answers 417 with no body, and closes for CONNECT with no answer.
  server.on('checkExpectation', app);
  server.on('checkContinue', (req, res) => {
    if (isContinue(req.headers.expect)) res.writeContinue();
    app(req, res);
  });
  server.on('connect', (_req, socket) => {
    // Node has taken its own listener away.
    socket.on('error', () => socket.destroy());
    sendProblem(socket as Socket, new Failure('malformed_request', 'This is no proxy'), log);
  });
  server.on('clientError', (error, socket) => onClientError(error, socket as Socket, log));
  // Else Node aborts a request when its client's side ends. A public property that its documentation leaves out.
  Object.assign(server, { httpAllowHalfOpen: true });
  return server;
}
