import { createHash } from 'node:crypto';
import type { RouterContext } from '@koa/router';
import type { Answer, Parameter } from '../contract/route.ts';

/** What routes say that answer so. */
export const NOT_MODIFIED: Answer = { description: 'It is still what If-None-Match names.' };
export const PAGE_ANSWERS = {
  200: { description: 'The page.', content: { 'text/html': {} } },
  304: NOT_MODIFIED,
};
export const IF_NONE_MATCH: Readonly<Record<string, Parameter>> = {
  'If-None-Match': { schema: { type: 'string' }, description: 'The ETag of what the client has.' },
};

/** What is read only when it has to be sent. */
export interface StreamedBody {
  readonly body: () => NodeJS.ReadableStream;
  readonly sizeBytes: number;
}

/**
 * Answers with a file of a page, or with 304 when the client has it.
 * @param type with its charset
 */
export function sendFile(ctx: RouterContext, type: string, bytes: Buffer | string): void {
  sendTagged(ctx, type, contentTag(bytes), bytes);
}

/**
 * Answers with a page that has its files in a folder beside it, of the page's own name, and names them relatively, so that
 * it works under whatever path a proxy takes away.
 *
 * @param html names each file as `"folder/file"`
 */
export function sendPage(ctx: RouterContext, folder: string, html: string): void {
  // Asked for with a slash at the end, the page is in that folder itself.
  const linked = ctx.path.endsWith('/') ? html.replaceAll(`"${folder}/`, '"') : html;
  sendFile(ctx, 'text/html; charset=utf-8', linked);
}

/** As `sendFile`, under an entity tag that the caller has made. */
export function sendTagged(
  ctx: RouterContext,
  type: string,
  etag: string,
  content: Buffer | string | StreamedBody,
): void {
  ctx.status = 200;
  // To be asked for again each time: another version may be behind this address by then.
  ctx.set({ ETag: etag, 'Cache-Control': 'no-cache', 'Content-Type': type });
  if (ctx.fresh) {
    ctx.status = 304;
    return;
  }
  const isStreamed = typeof content !== 'string' && !Buffer.isBuffer(content);
  if (!isStreamed) ctx.body = content;
  else if (ctx.method !== 'HEAD') ctx.body = content.body();
  if (isStreamed) ctx.length = content.sizeBytes;
  // Koa has a guess of its own for what it is given.
  ctx.set('Content-Type', type);
}

/** @returns the strong entity tag of these very bytes */
export function contentTag(bytes: Buffer | string): string {
  return `"${createHash('sha256').update(bytes).digest('base64url')}"`;
}
