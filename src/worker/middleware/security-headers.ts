import type { ServerResponse } from 'node:http';
import type { Config } from '../../config.ts';

type Header = readonly [name: string, value: string];

export interface SecurityHeaders {
  /** What means something on an answer that is JSON, or nothing. */
  readonly ofJson: readonly Header[];
  /** What all others have, since a browser may show them. */
  readonly ofOthers: readonly Header[];
}

export const NO_STORE = 'no-store';
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/;
const OF_BOTH: readonly Header[] = [
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['X-Content-Type-Options', 'nosniff'],
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
    ? [['Strict-Transport-Security', `max-age=${HSTS_MAX_AGE_SECONDS}`]]
    : [];
  return {
    ofJson: [['Content-Security-Policy', "frame-ancestors 'none'"], ...OF_BOTH, ...hsts],
    ofOthers: [
      ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
      ['Cross-Origin-Opener-Policy', 'same-origin'],
      ['Origin-Agent-Cluster', '?1'],
      ['Referrer-Policy', 'no-referrer'],
      ['X-DNS-Prefetch-Control', 'off'],
      ['X-Download-Options', 'noopen'],
      ['X-Frame-Options', 'DENY'],
      ['X-Permitted-Cross-Domain-Policies', 'none'],
      ['X-XSS-Protection', '0'],
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
  const type = res.getHeader('Content-Type');
  const isJson = typeof type === 'string' && JSON_TYPE.test(type);
  const isEmpty = type === undefined;
  for (const [name, value] of isJson || isEmpty ? ofJson : ofOthers) {
    if (!res.hasHeader(name)) res.setHeader(name, value);
  }
  const hasTag = res.hasHeader('ETag');
  if ((isJson || hasTag) && !res.hasHeader('Cache-Control')) {
    res.setHeader('Cache-Control', hasTag ? 'private, no-cache' : NO_STORE);
  }
}
