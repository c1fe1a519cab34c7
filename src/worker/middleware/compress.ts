import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type Koa from 'koa';

/** Below, the headers and the time cost more than the bytes saved. */
const MIN_BYTES = 1024;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\b/;
/** Higher ones take several times as long for a few percent. */
const BROTLI_QUALITY = 4;

const brotli = promisify(zlib.brotliCompress);
const gzip = promisify(zlib.gzip);
const BROTLI_OPTIONS = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } };

/** @returns whether an answer may be compressed; a small one, as most are, is told by one comparison */
export function isCompressible(ctx: Koa.Context): boolean {
  const { body } = ctx.response;
  if (typeof body !== 'string' || body.length <= MIN_BYTES) return false;
  if (!JSON_TYPE.test(String(ctx.res.getHeader('Content-Type')))) return false;
  // A strong ETag names these very bytes, and clients send it back in If-Match: RFC 9110 8.8.1, 8.8.3.3.
  return !String(ctx.res.getHeader('ETag') ?? '').startsWith('"');
}

/** Compresses the answer's body, off the event loop, in what the client takes; brotli before gzip. */
export async function compress(ctx: Koa.Context): Promise<void> {
  ctx.vary('Accept-Encoding');
  const encoding = ctx.acceptsEncodings('br') || ctx.acceptsEncodings('gzip');
  if (encoding !== 'br' && encoding !== 'gzip') return;
  const text = ctx.response.body as string;
  const bytes = encoding === 'br' ? await brotli(text, BROTLI_OPTIONS) : await gzip(text);
  ctx.res.setHeader('Content-Encoding', encoding);
  ctx.response.body = bytes;
}
