import type Koa from 'koa';

const PREFLIGHT_MAX_AGE_SECONDS = 600;
/** Request headers that a page may send, beyond those that are always allowed. */
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Durability',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'X-Request-Id',
].join(', ');
/** Response headers that a page may read, beyond those that are always readable. */
const RESPONSE_HEADERS = [
  'Durability',
  'ETag',
  'Idempotent-Replayed',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
].join(', ');

/** Response headers that are kept when the answer becomes an error, so that the page can read the error too. */
export const CORS_HEADERS = ['access-control-allow-origin', 'access-control-expose-headers', 'vary'] as const;

export interface Cors {
  /** To be called before the request is answered: lets the page read the answer. */
  readonly allow: (ctx: Koa.Context) => void;
  /** To be called after the answer: answers a preflight. The methods come from the Allow of the answer to OPTIONS. */
  readonly finish: (ctx: Koa.Context) => void;
}

/**
 * Lets pages of other origins use the API (https://fetch.spec.whatwg.org/#http-cors-protocol). Credentials are not
 * allowed: a page sends a key in a header, so no page can act with credentials that a browser keeps for another page.
 *
 * @param origins those of CORS_ORIGINS; `*` for any
 * @returns undefined when there are none: browsers then refuse by themselves
 */
export function cors(origins: readonly string[]): Cors | undefined {
  if (origins.length === 0) return undefined;
  const allowed = new Set(origins);
  const isAllowed = (ctx: Koa.Context) => allowed.has('*') || allowed.has(ctx.req.headers.origin ?? '');
  return {
    allow(ctx) {
      // Also for an origin that is not allowed: a shared cache must not serve that answer to an allowed one.
      if (!allowed.has('*')) ctx.res.setHeader('Vary', 'Origin');
      if (ctx.req.headers.origin === undefined || !isAllowed(ctx)) return;
      ctx.res.setHeader('Access-Control-Allow-Origin', allowed.has('*') ? '*' : ctx.req.headers.origin);
      ctx.res.setHeader('Access-Control-Expose-Headers', RESPONSE_HEADERS);
      // Otherwise the resource policy `same-origin` would still keep an allowed page from showing an image.
      ctx.res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    },
    finish(ctx) {
      const { headers, method } = ctx.req;
      if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return;
      if (headers.origin === undefined || !isAllowed(ctx) || !ctx.res.hasHeader('Allow')) return;
      ctx.res.setHeader('Access-Control-Allow-Methods', String(ctx.res.getHeader('Allow')));
      ctx.res.setHeader('Access-Control-Allow-Headers', REQUEST_HEADERS);
      ctx.res.setHeader('Access-Control-Max-Age', String(PREFLIGHT_MAX_AGE_SECONDS));
    },
  };
}
