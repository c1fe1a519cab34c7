import type { ServerResponse } from 'node:http';
import type { Config } from '../../config/config.ts';

type Header = readonly [name: string, value: string, lowerCaseName: string];

export interface SecurityHeaders {
  /** What means something on an answer that is JSON, or nothing. */
  readonly ofJson: readonly Header[];
  /** What all others have, since a browser may show them. */
  readonly ofOthers: readonly Header[];
}

export const NO_STORE = 'no-store';
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/;
const OF_BOTH: readonly Header[] = [
  header('Cross-Origin-Resource-Policy', 'same-origin'),
  header('X-Content-Type-Options', 'nosniff'),
];

/**
 * What answers carry, an error's too. On JSON that is what OWASP's REST security cheat sheet names; on what a browser may
 * show it is helmet's set, with the strictest content policy: a route that answers with a page sets a policy of its own.
 * HSTS only where clients come by HTTPS (RFC 6797 7.2 wants none on others), and never for the domains below, which are not
 * ours to decide about.
 *
 * @returns names and values, made once
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
 * Sets what an answer that is whole lacks of them, and how JSON may be kept: with a tag by its client, which asks each time
 * whether it still holds; else by nobody.
 */
export function secure(res: ServerResponse, { ofJson, ofOthers }: SecurityHeaders): void {
  // Names in small letters: those of another would be made anew, and looked for as what they are, with each request.
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
