import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import { isLoopbackAddress } from '../platform/loopback.ts';
import { isForwarding } from './forwarding.ts';

/** Names by which a client on this machine calls it. A page that uses DNS rebinding sends its own name instead. */
const LOCAL_NAME = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i;

/** @returns whether the Host of a request is `localhost` or a loopback address */
export function isOwnName({ host }: IncomingMessage['headers']): boolean {
  return LOCAL_NAME.test(host ?? '');
}

/** Against DNS rebinding: a page whose own name leads to this machine sends that name as Host. */
export function misdirected(): Failure {
  return new Failure('forbidden', 'OPS_LISTEN answers to localhost and loopback addresses as Host alone');
}

/**
 * Local means: loopback peer, a loopback name as Host, HTTP/1.1, no proxy header, and no Origin but that of a loopback
 * name or of CORS_ORIGINS. The host of PUBLIC_URL does not count: it is the name of a proxy. HTTP/1.0 does not count:
 * nginx uses it towards its upstreams unless configured otherwise. A proxy that speaks HTTP/1.1, sends this server's
 * address as Host and adds no header cannot be told from a client on this machine.
 *
 * @returns a function that tells whether a request is local; to be made once
 */
export function localRequests({
  CORS_ORIGINS,
}: Pick<Config, 'CORS_ORIGINS'>): (req: IncomingMessage) => boolean {
  const isOurPage = (origin: string) =>
    CORS_ORIGINS.includes(origin) || (URL.canParse(origin) && LOCAL_NAME.test(new URL(origin).host));
  // The peer of the last request: most requests come from the same one.
  let peer: string | undefined;
  let isLoopbackPeer = false;
  const isFromHere = (address: string | undefined) => {
    if (address !== peer) isLoopbackPeer = isLoopbackAddress(address);
    peer = address;
    return isLoopbackPeer;
  };
  return ({ socket, headers, httpVersionMinor }) => {
    if (!isFromHere(socket.remoteAddress) || httpVersionMinor === 0 || isForwarding(headers)) return false;
    // Every browser sends both Host and, across origins, Origin. Other clients leave Origin out.
    if (!isOwnName(headers)) return false;
    return headers.origin === undefined || isOurPage(headers.origin);
  };
}
