import type Koa from 'koa';

const PREFLIGHT_MAX_AGE_SECONDS = 600;
/** What a page may send beyond what it always may. */
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Durability',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'X-Request-Id',
].join(', ');
/** What a page may read beyond what it always may. */
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

/** Of an answer; they stay when it becomes an error, which the page is to read too. */
export const CORS_HEADERS = ['access-control-allow-origin', 'access-control-expose-headers', 'vary'] as const;

export interface Cors {
  /** Before the request is answered: lets the page read the answer. */
  readonly allow: (ctx: Koa.Context) => void;
  /** After it: what a preflight asks for. The route's own answer to OPTIONS has the methods. */
  readonly finish: (ctx: Koa.Context) => void;
}

/**
 * Lets pages of other origins use the API (https://fetch.spec.whatwg.org/#http-cors-protocol). Without credentials: a key
 * is sent in a header, by a page that has one, so that no page acts with what a browser keeps for another.
 *
 * @param origins as CORS_ORIGINS has them; `*` for any
 * @returns undefined when there are none: browsers then refuse, and nothing is to be done
 */
export function cors(origins: readonly string[]): Cors | undefined {
  if (origins.length === 0) return undefined;
  const allowed = new Set(origins);
  const isAllowed = (ctx: Koa.Context) => allowed.has('*') || allowed.has(ctx.req.headers.origin ?? '');
  return {
    allow(ctx) {
      // Also where it is not allowed: what is shared must not keep that answer for one that is.
      if (!allowed.has('*')) ctx.res.setHeader('Vary', 'Origin');
      if (ctx.req.headers.origin === undefined || !isAllowed(ctx)) return;
      ctx.res.setHeader('Access-Control-Allow-Origin', allowed.has('*') ? '*' : ctx.req.headers.origin);
      ctx.res.setHeader('Access-Control-Expose-Headers', RESPONSE_HEADERS);
      // Else the resource policy would still keep an allowed page from an image.
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
