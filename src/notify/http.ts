import type { ClientRequest } from 'node:http';
import { http, https } from '../platform/node-http.ts';
import { agentFor } from '../replication/store/reach.ts';
import type { Payload } from './message.ts';

/** Timeout from the look-up of the name to the first line of the answer. */
const TIMEOUT_MS = 5000;

/** The result of one attempt. No reason contains the URL, which is a secret. */
export type Sent =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly reason: string;
      /** True when the request cannot have reached anybody. */
      readonly isUnreached: boolean;
    };

/**
 * Sends one request: a POST with a payload, otherwise a GET. Redirects are not followed, and are no success.
 * @param secretUrl http: or https:
 */
export async function sendTo(secretUrl: string, payload?: Payload): Promise<Sent> {
  let isUnreached = true;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const status = await new Promise<number>((resolve, reject) => {
      const outgoing = begin(new URL(secretUrl), payload, signal);
      outgoing.once('socket', (socket) => {
        const reached = () => {
          isUnreached = false;
        };
        if (socket.connecting) socket.once('connect', reached);
        else reached();
      });
      outgoing.once('response', (incoming) => {
        resolve(incoming.statusCode ?? 0);
        incoming.on('error', () => {}).resume();
      });
      outgoing.once('error', reject);
      outgoing.end(payload?.body);
    });
    if (status >= 200 && status < 300) return { ok: true };
    const isRedirect = status >= 300 && status < 400;
    return {
      ok: false,
      reason: `it answered ${status}${isRedirect ? ', and no redirect is followed' : ''}`,
      isUnreached,
    };
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    const reason = signal.aborted
      ? `it has not answered within ${TIMEOUT_MS} ms`
      : `the connection failed: ${code}`;
    return { ok: false, reason, isUnreached };
  }
}

function begin(url: URL, payload: Payload | undefined, signal: AbortSignal): ClientRequest {
  const request = url.protocol === 'https:' ? https().request : http().request;
  return request(url, {
    method: payload ? 'POST' : 'GET',
    headers: {
      'User-Agent': 'ninelives',
      Connection: 'close',
      ...payload?.headers,
      ...(payload && { 'Content-Length': Buffer.byteLength(payload.body) }),
    },
    agent: agentFor(url, process.env),
    signal,
  });
}
