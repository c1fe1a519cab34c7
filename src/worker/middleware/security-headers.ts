import type { ServerResponse } from 'node:http';
import type { Config } from '../../config.ts';

export const POLICY = 'Content-Security-Policy';

/**
 * What every answer carries, an error's too: helmet's set, with the strictest content policy, since an API's answers
 * load nothing. A route that answers with a page sets a policy of its own. HSTS only where clients come by HTTPS (RFC 6797
 * 7.2 wants none on others), and never for the domains below, which are not ours to decide about.
 *
 * @returns names and values, made once
 */
export function securityHeaders({
  PUBLIC_URL,
  HSTS_MAX_AGE_SECONDS,
}: Pick<Config, 'PUBLIC_URL' | 'HSTS_MAX_AGE_SECONDS'>): readonly (readonly [string, string])[] {
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
    ...(PUBLIC_URL?.startsWith('https:') && HSTS_MAX_AGE_SECONDS > 0
      ? [['Strict-Transport-Security', `max-age=${HSTS_MAX_AGE_SECONDS}`] as const]
      : []),
  ];
}

/** Sets them all on an answer. */
export function setAll(res: ServerResponse, headers: readonly (readonly [string, string])[]): void {
  for (const [name, value] of headers) res.setHeader(name, value);
}
