import type { ServerResponse } from 'node:http';
import type { Config } from '../../config.ts';

const HSTS_SECONDS = 365 * 24 * 3600;
export const POLICY = 'Content-Security-Policy';

/**
 * What every answer carries, an error's too: helmet's set, with the strictest content policy, since an API's answers
 * load nothing. A route that answers with a page sets a policy of its own. HSTS only where clients come by HTTPS:
 * RFC 6797 7.2 wants none on others.
 *
 * @returns names and values, made once
 */
export function securityHeaders({
  PUBLIC_URL,
}: Pick<Config, 'PUBLIC_URL'>): readonly (readonly [string, string])[] {
  return [
    [POLICY, "default-src 'none'; frame-ancestors 'none'"],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
    ['Origin-Agent-Cluster', '?1'],
    ['Referrer-Policy', 'no-referrer'],
    ['X-Content-Type-Options', 'nosniff'],
    ['X-DNS-Prefetch-Control', 'off'],
    ['X-Download-Options', 'noopen'],
    ['X-Frame-Options', 'DENY'],
    ['X-Permitted-Cross-Domain-Policies', 'none'],
    ['X-XSS-Protection', '0'],
    ...(PUBLIC_URL?.startsWith('https:')
      ? [['Strict-Transport-Security', `max-age=${HSTS_SECONDS}; includeSubDomains`] as const]
      : []),
  ];
}

/** Sets them all on an answer. */
export function setAll(res: ServerResponse, headers: readonly (readonly [string, string])[]): void {
  for (const [name, value] of headers) res.setHeader(name, value);
}
