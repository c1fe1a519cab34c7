import type { Socket } from 'node:net';
import { Failure } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import { http } from '../../platform/node-http.ts';
import { hasBegun } from '../open-responses.ts';
import { PROBLEM_TYPE, problemOf } from './problem.ts';
import { requestId } from './request-id.ts';
import { NO_STORE, securityHeaders } from './security-headers.ts';
import { beginsTooLong, uriTooLong } from './target.ts';

/** An error of Node's HTTP parser, with the bytes that it could not parse. */
type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

/** No request was read, so the headers depend on no request and on no configuration. */
const { ofJson } = securityHeaders({ PUBLIC_URL: undefined, HSTS_MAX_AGE_SECONDS: 0 });
const HEADERS = [...ofJson, ['Cache-Control', NO_STORE]]
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/**
 * Listener for `server.on('clientError')`: what the HTTP parser refuses never reaches a route, but gets a problem
 * document too. It ends the socket in every case, as Node requires of such a listener.
 */
export function onClientError(error: ParserError, socket: Socket, log: Logger): void {
  if (error.code === 'ECONNRESET' || !socket.writable || hasBegun(socket)) socket.destroy();
  else sendProblem(socket, failureOf(error), log);
}

/** Answers on a socket that has no response object, logs the answer with its id, and ends the socket. */
export function sendProblem(socket: Socket, failure: Failure, log: Logger): void {
  const { httpStatus } = failure.meaning;
  const id = requestId(undefined);
  const body = JSON.stringify(problemOf(failure, id));
  socket.end(
    `HTTP/1.1 ${httpStatus} ${http().STATUS_CODES[httpStatus]}\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `X-Request-Id: ${id}\r\n${HEADERS}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
  log.info({ requestId: id, status: httpStatus, code: failure.code }, 'no valid request');
}

function failureOf({ code, rawPacket }: ParserError): Failure {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Failure('request_timeout', 'The request did not arrive in time');
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return beginsTooLong(rawPacket)
      ? uriTooLong()
      : new Failure('headers_too_large', `The headers may have at most ${http().maxHeaderSize} bytes`);
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return new Failure('too_large', 'The extensions of the chunks are too large');
  }
  return new Failure('malformed_request', 'This is not a valid HTTP request');
}
