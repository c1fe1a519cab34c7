import http, { type IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { type FailureKind, HUNG_AFTER_MS } from './record.ts';

/** The answer to one request, or how it failed. */
export interface Reply {
  readonly status: number | undefined;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  readonly port: number | undefined;
  readonly failure: FailureKind | undefined;
  readonly detail: string | undefined;
}

const KINDS: Readonly<Record<string, FailureKind>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  HUNG: 'hung',
};

/**
 * Sends one request, and never retries it, so that every failure shows.
 * @param agent keeps the connection; without one the request has its own
 * @param more headers besides those of the body
 * @returns the reply; the promise never rejects
 */
export function request(
  url: string,
  method: string,
  body?: string,
  agent?: http.Agent,
  more: Readonly<Record<string, string>> = {},
  hungAfterMs = HUNG_AFTER_MS,
): Promise<Reply> {
  return new Promise((resolve) => {
    let port: number | undefined;
    const headers =
      body === undefined
        ? more
        : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...more };
    const fail = (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const detail = error.code ?? error.message;
      resolve({ status: undefined, text: '', headers: {}, port, failure: KINDS[detail] ?? 'other', detail });
    };
    const sent = http.request(url, { method, headers, agent: agent ?? false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', fail);
      response.on('end', () => {
        clearTimeout(timer);
        const { statusCode: status = 0, headers } = response;
        const failure = status >= 500 ? '5xx' : undefined;
        resolve({ status, text, headers, port, failure, detail: failure && `${status}` });
      });
    });
    const timer = setTimeout(
      () => sent.destroy(Object.assign(new Error('no answer'), { code: 'HUNG' })),
      hungAfterMs,
    );
    const noteTcpPort = (socket: Socket) => {
      port = socket.localPort;
    };
    sent.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => noteTcpPort(socket));
      else noteTcpPort(socket);
    });
    sent.on('error', fail);
    sent.end(body);
  });
}
