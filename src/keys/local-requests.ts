import type { IncomingMessage } from 'node:http';
import type { Config } from '../config.ts';
import { isLoopbackAddress } from '../loopback.ts';

/** What a proxy adds. It may be forged, so it is never taken for where a request comes from. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

/** What a client on this machine calls it by. A page that has its own name lead here (DNS rebinding) sends that name. */
const LOCAL_NAME = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i;
const CHANGES_NOTHING: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * What tells a request of this very machine, made for somebody who sits at it, from one of elsewhere: one that says that
 * a proxy has passed it on, wherever the proxy runs; one that a page of another site has had a browser here send, which
 * names that page's own host, or which changes something and names its origin.
 *
 * @returns the judge of requests, made once
 */
export function localRequests({
  PUBLIC_URL,
  CORS_ORIGINS,
}: Pick<Config, 'PUBLIC_URL' | 'CORS_ORIGINS'>): (req: IncomingMessage) => boolean {
  const ownHost = PUBLIC_URL === undefined ? undefined : new URL(PUBLIC_URL).host;
  const isOurName = (host: string) => LOCAL_NAME.test(host) || host.toLowerCase() === ownHost;
  const isOurPage = (origin: string) =>
    CORS_ORIGINS.includes(origin) || (URL.canParse(origin) && isOurName(new URL(origin).host));
  return ({ socket, headers, method }) => {
    if (!isLoopbackAddress(socket.remoteAddress)) return false;
    for (const name of FORWARDED) if (headers[name] !== undefined) return false;
    // Every browser names both; what is no browser may leave them out.
    if (headers.host !== undefined && !isOurName(headers.host)) return false;
    return headers.origin === undefined || CHANGES_NOTHING.has(method) || isOurPage(headers.origin);
  };
}
