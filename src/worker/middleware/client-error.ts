import type { Socket } from 'node:net';
import { Failure } from '../../errors.ts';
import { http } from '../../node-http.ts';
import { PROBLEM_TYPE, problemOf } from './problem.ts';

/**
 * For `server.on('clientError')`: what the HTTP parser refuses never reaches a route, and gets a problem too.
 * Ends the socket in every case, as Node asks of such a listener.
 */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // Node keeps the response in progress here. Into one that has begun nothing may be written.
  const begun = (socket as { _httpMessage?: { headersSent: boolean } })._httpMessage?.headersSent === true;
  if (error.code === 'ECONNRESET' || !socket.writable || begun) {
    socket.destroy();
    return;
  }
  const failure = failureOf(error.code);
  const { httpStatus } = failure.meaning;
  const body = JSON.stringify(problemOf(failure));
  socket.end(
    `HTTP/1.1 ${httpStatus} ${http.STATUS_CODES[httpStatus]}\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function failureOf(code: string | undefined): Failure {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Failure('request_timeout', 'The request did not arrive in time');
  }
  if (code === 'HPE_HEADER_OVERFLOW') return new Failure('malformed_request', 'The headers are too large');
  return new Failure('malformed_request', 'This is not a valid HTTP request');
}
