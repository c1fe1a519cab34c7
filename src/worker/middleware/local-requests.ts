import type { IncomingMessage } from 'node:http';
import type { Config } from '../../config/config.ts';
import { isLoopbackAddress } from '../../platform/loopback.ts';
import { isForwarding } from './forwarding.ts';

/** What a client on this machine calls it by. A page that has its own name lead here (DNS rebinding) sends that name. */
const LOCAL_NAME = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i;

/** @returns whether a request calls this machine by a name of its own */
export function isOwnName({ host }: IncomingMessage['headers']): boolean {
  return LOCAL_NAME.test(host ?? '');
}

/**
 * Local means: a loopback peer, the Host of a loopback name, HTTP/1.1, no header of a proxy, no Origin but that of a
 * loopback name or of CORS_ORIGINS. The host of PUBLIC_URL does not count: it is the name by which a proxy is called.
 * nginx speaks HTTP/1.0 to what it passes requests on to, unless it is told otherwise. A proxy that speaks HTTP/1.1, sends
 * the address of this server as Host and adds no header cannot be told from a client on this machine.
 *
 * @returns the judge of requests, made once
 */
export function localRequests({
  CORS_ORIGINS,
}: Pick<Config, 'CORS_ORIGINS'>): (req: IncomingMessage) => boolean {
  const isOurPage = (origin: string) =>
    CORS_ORIGINS.includes(origin) || (URL.canParse(origin) && LOCAL_NAME.test(new URL(origin).host));
  // That of the last request: most come from the same one.
  let peer: string | undefined;
  let isLoopbackPeer = false;
  const isFromHere = (address: string | undefined) => {
    if (address !== peer) isLoopbackPeer = isLoopbackAddress(address);
    peer = address;
    return isLoopbackPeer;
  };
  return ({ socket, headers, httpVersionMinor }) => {
    if (!isFromHere(socket.remoteAddress) || httpVersionMinor === 0 || isForwarding(headers)) return false;
    // Every browser names both; what is no browser leaves out the origin.
    if (!isOwnName(headers)) return false;
    return headers.origin === undefined || isOurPage(headers.origin);
  };
}
