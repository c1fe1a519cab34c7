import type { ServerResponse } from 'node:http';
import type { Config } from '../../config/config.ts';

type Header = readonly [name: string, value: string, lowerCaseName: string];

export interface SecurityHeaders {
  /** For answers that are JSON or have no body. */
  readonly ofJson: readonly Header[];
  /** For all other answers, since a browser may show them. */
  readonly ofOthers: readonly Header[];
}

export const NO_STORE = 'no-store';
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/;
const OF_BOTH: readonly Header[] = [
  header('Cross-Origin-Resource-Policy', 'same-origin'),
  header('X-Content-Type-Options', 'nosniff'),
];

/**
 * The security headers of all answers, errors included. JSON gets those that OWASP's REST security cheat sheet names.
 * An answer that a browser may show gets helmet's set with the strictest content policy; a route that answers with a
 * page sets its own policy. HSTS is sent only when clients come by HTTPS (RFC 6797 7.2 forbids it otherwise), and never
 * for subdomains, about which we cannot decide.
 *
 * @returns names and values; to be made once
 */
export function securityHeaders({
  PUBLIC_URL,
  HSTS_MAX_AGE_SECONDS,
}: Pick<Config, 'PUBLIC_URL' | 'HSTS_MAX_AGE_SECONDS'>): SecurityHeaders {
  const isHttps = PUBLIC_URL?.startsWith('https:') && HSTS_MAX_AGE_SECONDS > 0;
  const hsts: readonly Header[] = isHttps
    ? [header('Strict-Transport-Security', `max-age=${HSTS_MAX_AGE_SECONDS}`)]
    : [];
  return {
    ofJson: [header('Content-Security-Policy', "frame-ancestors 'none'"), ...OF_BOTH, ...hsts],
    ofOthers: [
      header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"),
      header('Cross-Origin-Opener-Policy', 'same-origin'),
      header('Origin-Agent-Cluster', '?1'),
      header('Referrer-Policy', 'no-referrer'),
      header('X-DNS-Prefetch-Control', 'off'),
      header('X-Download-Options', 'noopen'),
      header('X-Frame-Options', 'DENY'),
      header('X-Permitted-Cross-Domain-Policies', 'none'),
      header('X-XSS-Protection', '0'),
      ...OF_BOTH,
      ...hsts,
    ],
  };
}

/**
 * Sets the security headers that a finished answer lacks, and Cache-Control: with an ETag, only the client may cache
 * the answer, and must revalidate it each time; JSON without an ETag may not be cached.
 */
export function secure(res: ServerResponse, { ofJson, ofOthers }: SecurityHeaders): void {
  // Lower-case names: for others Node would make a lower-case copy on each request, to look it up.
  const type = res.getHeader('content-type');
  const isJson = type === 'application/json' || (typeof type === 'string' && JSON_TYPE.test(type));
  const isEmpty = type === undefined;
  for (const [name, value, key] of isJson || isEmpty ? ofJson : ofOthers) {
    if (!res.hasHeader(key)) res.setHeader(name, value);
  }
  const hasTag = res.hasHeader('etag');
  if ((isJson || hasTag) && !res.hasHeader('cache-control')) {
    res.setHeader('Cache-Control', hasTag ? 'private, no-cache' : NO_STORE);
  }
}

function header(name: string, value: string): Header {
  return [name, value, name.toLowerCase()];
}
