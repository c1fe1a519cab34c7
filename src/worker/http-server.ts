import type { RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import { REQUEST_TIMEOUT_MS } from '../config/request-timeout.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { http } from '../platform/node-http.ts';
import { onClientError, sendProblem } from './middleware/client-error.ts';
import { isContinue } from './middleware/request-head.ts';
import { noteResponse } from './open-responses.ts';

const HEADERS_TIMEOUT_MS = 10_000;
export const KEEP_ALIVE_TIMEOUT_MS = 72_000;
const CONNECTIONS_CHECK_INTERVAL_MS = 1000;

/**
 * @param app answers every request, also one that Node's server would refuse without a problem document
 * @returns a server that also answers a client that has ended its side of the connection after its request (RFC 9112
 *   9.6: each side closes on its own)
 */
export function createHttpServer(app: RequestListener, log: Logger): Server {
  const server = http().createServer({
    noDelay: true,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: CONNECTIONS_CHECK_INTERVAL_MS,
    // Node would answer without a body; the request pipeline refuses with a problem document instead.
    requireHostHeader: false,
  });
  const listener: RequestListener = (req, res) => {
    noteResponse(req, res);
    app(req, res);
  };
  server.on('request', listener);
  // Without these listeners Node answers 417 without a body, and closes the connection of a CONNECT without an answer.
  server.on('checkExpectation', listener);
  server.on('checkContinue', (req, res) => {
    if (isContinue(req.headers.expect)) res.writeContinue();
    listener(req, res);
  });
  server.on('connect', (_req, socket) => {
    // For CONNECT, Node removes its own error listener from the socket.
    socket.on('error', () => socket.destroy());
    sendProblem(socket as Socket, new Failure('malformed_request', 'This is no proxy'), log);
  });
  server.on('clientError', (error, socket) => onClientError(error, socket as Socket, log));
  // Otherwise Node aborts a request when the client ends its side. The property is public, but not documented.
  Object.assign(server, { httpAllowHalfOpen: true });
  return server;
}
