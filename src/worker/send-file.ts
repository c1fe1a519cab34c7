import { createHash } from 'node:crypto';
import type { RouterContext } from '@koa/router';

/**
 * Answers with a file of a page, or with 304 when the client has it.
 * @param type with its charset
 */
export function sendFile(ctx: RouterContext, type: string, bytes: Buffer | string): void {
  ctx.status = 200;
  ctx.set({
    ETag: `"${createHash('sha256').update(bytes).digest('base64url')}"`,
    // To be asked for again each time: another version may be behind this address by then.
    'Cache-Control': 'no-cache',
    'Content-Type': type,
    'X-Content-Type-Options': 'nosniff',
  });
  if (ctx.fresh) ctx.status = 304;
  else {
    ctx.body = bytes;
    // Koa has a guess of its own for what it is given.
    ctx.set('Content-Type', type);
  }
}
