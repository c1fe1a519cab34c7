import { createHash } from 'node:crypto';
import type { RouterContext } from '@koa/router';
import type { Answer, Parameter } from '../contract/route.ts';

/** Declarations for the routes that use the functions below. */
export const NOT_MODIFIED: Answer = { description: 'It is still what If-None-Match names.' };
export const PAGE_ANSWERS = {
  200: { description: 'The page.', content: { 'text/html': {} } },
  304: NOT_MODIFIED,
};
export const IF_NONE_MATCH: Readonly<Record<string, Parameter>> = {
  'If-None-Match': { schema: { type: 'string' }, description: 'The ETag of what the client has.' },
};

/** A body that is read only when it is sent. */
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
 * Answers with a page whose files are in a folder beside it that has the page's name. The page links to them by
 * relative URLs, so that it works behind a proxy that strips a path.
 *
 * @param html names each file as `"folder/file"`
 */
export function sendPage(ctx: RouterContext, folder: string, html: string): void {
  // When the URL ends with a slash, the page is inside that folder itself.
  const linked = ctx.path.endsWith('/') ? html.replaceAll(`"${folder}/`, '"') : html;
  sendFile(ctx, 'text/html; charset=utf-8', linked);
}

/** Does the same as `sendFile`, with an entity tag of the caller. */
export function sendTagged(
  ctx: RouterContext,
  type: string,
  etag: string,
  content: Buffer | string | StreamedBody,
): void {
  ctx.status = 200;
  // The client must revalidate each time: the URL may serve another version by then.
  ctx.set({ ETag: etag, 'Cache-Control': 'no-cache', 'Content-Type': type });
  if (ctx.fresh) {
    ctx.status = 304;
    return;
  }
  const isStreamed = typeof content !== 'string' && !Buffer.isBuffer(content);
  if (!isStreamed) ctx.body = content;
  else if (ctx.method !== 'HEAD') ctx.body = content.body();
  if (isStreamed) ctx.length = content.sizeBytes;
  // Koa sets its own guess when it gets a body, so set the type again.
  ctx.set('Content-Type', type);
}

/** @returns a strong entity tag, which identifies exactly these bytes */
export function contentTag(bytes: Buffer | string): string {
  return `"${createHash('sha256').update(bytes).digest('base64url')}"`;
}
