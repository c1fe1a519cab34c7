import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type Koa from 'koa';

/** Below this size, headers and time cost more than the saved bytes. */
const MIN_BYTES = 1024;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\b/;
/** Higher qualities take several times as long and save only a few percent more. */
const BROTLI_QUALITY = 4;

const brotli = promisify(zlib.brotliCompress);
const gzip = promisify(zlib.gzip);
const BROTLI_OPTIONS = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } };

/** @returns whether an answer may be compressed. For a small one, as most are, one comparison decides. */
export function isCompressible(ctx: Koa.Context): boolean {
  const { body } = ctx.response;
  if (typeof body !== 'string' || body.length <= MIN_BYTES) return false;
  if (!JSON_TYPE.test(String(ctx.res.getHeader('Content-Type')))) return false;
  // A strong ETag identifies exactly these bytes, and clients send it back in If-Match: RFC 9110 8.8.1, 8.8.3.3.
  return !String(ctx.res.getHeader('ETag') ?? '').startsWith('"');
}

/** Compresses the answer's body, off the event loop, in an encoding that the client accepts; brotli before gzip. */
export async function compress(ctx: Koa.Context): Promise<void> {
  ctx.vary('Accept-Encoding');
  const encoding = ctx.acceptsEncodings('br') || ctx.acceptsEncodings('gzip');
  if (encoding !== 'br' && encoding !== 'gzip') return;
  const text = ctx.response.body as string;
  const bytes = encoding === 'br' ? await brotli(text, BROTLI_OPTIONS) : await gzip(text);
  ctx.res.setHeader('Content-Encoding', encoding);
  ctx.response.body = bytes;
}
