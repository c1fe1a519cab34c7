import type { ParameterizedContext } from 'koa';
import { z } from 'zod';
import { publicBaseOf } from '../../config/public-url.ts';
import { callerOf } from '../../contract/feature.ts';
import { type Content, type RouteContext, routesWith } from '../../contract/route.ts';
import { Failure } from '../../platform/errors.ts';
import { readBody, refuseEncoded } from '../../worker/middleware/body.ts';
import { sendJson } from '../../worker/middleware/json.ts';
import type { commands } from './commands.ts';
import { identify } from './identify.ts';
import { fileOf, requireMultipart } from './multipart.ts';
import { prepareQueries } from './queries.ts';
import { IMAGE_MAX_BYTES, IMAGE_TYPES, imageId } from './schema.ts';

const FIELD = 'file';
/** What the boundaries, headers and other fields may add to the file. */
const BODY_MAX_BYTES = IMAGE_MAX_BYTES + 64 * 1024;
/** A slot is scarce, so a slow sender may not keep it for as long as the server's own timeout. */
const UPLOAD_TIMEOUT_MS = 60_000;
/** Each holds its image in memory, up to twice. */
const UPLOADS_MAX = 16;
/** Who has a slot already leaves so many free, so that one owner with slow uploads keeps nobody else out. */
const KEPT_FOR_OTHERS = UPLOADS_MAX / 4;
const RETRY_AFTER_SECONDS = 1;
const MB_BYTES = 1024 * 1024;

const NO_SUCH_IMAGE = 'There is no image with this id';
const EXAMPLE_ID = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
const UPLOADED: Content = {
  'application/json': {
    schema: z.object({ id: imageId, movie_url: z.url() }).meta({ id: 'UploadedImage' }),
    example: { id: EXAMPLE_ID, movie_url: `https://api.example.org/movie/image/${EXAMPLE_ID}` },
  },
};
/** As OpenAPI 3.0 has it: generators of clients know it better than the word of 3.1, which is no schema at all. */
const BYTES = { type: 'string', format: 'binary' };
const LOCATION = { Location: 'Where the image is.' };

const defineRoute = routesWith<RouteContext<typeof commands>>();

/** The cover images over HTTP: upload and download. */
export const routes = [
  defineRoute({
    method: 'post',
    path: '/movie/image',
    scope: 'write',
    rate: 'caller',
    id: 'putImage',
    summary: 'Upload a cover image',
    detail: `A PNG, JPEG, WebP, GIF or AVIF image of at most ${IMAGE_MAX_BYTES} bytes. What counts is its bytes, not what it is called.`,
    body: {
      'multipart/form-data': {
        schema: z
          .object({ file: z.unknown().meta({ ...BYTES, contentMediaType: 'application/octet-stream' }) })
          .meta({ id: 'ImageUpload' }),
      },
    },
    answers: {
      201: { description: 'The image is new to you.', content: UPLOADED, headers: LOCATION },
      200: { description: 'You have the identical image already.', content: UPLOADED, headers: LOCATION },
    },
    errors: ['quota_exceeded'],
    prepare({ write, config }) {
      // For a writer of a release before.
      const quotaBytes = config.UPLOAD_QUOTA_MB * MB_BYTES;
      let uploads = 0;
      const byOwner = new Map<string, number>();
      return async (ctx) => {
        requireMultipart(ctx.req);
        refuseEncoded(ctx.req);
        const { owner } = callerOf(ctx);
        const own = byOwner.get(owner) ?? 0;
        if (uploads >= UPLOADS_MAX - (own > 0 ? KEPT_FOR_OTHERS : 0)) {
          throw new Failure('overloaded', 'Too many uploads at once', {
            retryAfterSeconds: RETRY_AFTER_SECONDS,
          });
        }
        uploads += 1;
        byOwner.set(owner, own + 1);
        try {
          const body = await readBody(ctx.req, { limitBytes: BODY_MAX_BYTES, timeoutMs: UPLOAD_TIMEOUT_MS });
          const bytes = await fileOf(ctx.req.headers['content-type']!, body, {
            field: FIELD,
            maxBytes: IMAGE_MAX_BYTES,
          });
          const meta = await identify(bytes, FIELD);
          const input = { ...meta, owner, quotaBytes };
          const { created, publicUrl = config.PUBLIC_URL } = await write(ctx, 'put', input, bytes);
          const url = `${originOf(ctx, publicBaseOf({ PUBLIC_URL: publicUrl ?? undefined }))}/movie/image/${meta.id}`;
          ctx.set('Location', url);
          sendJson(ctx, created ? 201 : 200, { id: meta.id, movie_url: url });
        } finally {
          uploads -= 1;
          const left = (byOwner.get(owner) ?? 1) - 1;
          if (left === 0) byOwner.delete(owner);
          else byOwner.set(owner, left);
        }
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/movie/image/:id',
    scope: 'read',
    rate: 'caller',
    id: 'getImage',
    summary: 'Download a cover image',
    params: {
      id: {
        schema: imageId,
        description: 'The SHA-256 of its bytes in base64url.',
        example: EXAMPLE_ID,
        absent: NO_SUCH_IMAGE,
      },
    },
    headers: { 'If-None-Match': { schema: z.string(), description: 'The ETag of what the client has.' } },
    answers: {
      200: {
        description: 'Its bytes. They never change.',
        // The last is never sent: generators that know no image types make bytes of it, and would else leave the answer out.
        content: Object.fromEntries(
          [...IMAGE_TYPES, 'application/octet-stream'].map((type) => [type, { schema: BYTES }]),
        ),
        headers: { ETag: 'The id.' },
      },
      304: { description: 'The client has it.' },
    },
    errors: ['not_found'],
    prepare({ db }) {
      const queries = prepareQueries(db);
      return (ctx, { params: { id } }) => {
        const meta = queries.findMeta(callerOf(ctx).owner, id);
        if (meta === undefined) throw new Failure('not_found', NO_SUCH_IMAGE);
        ctx.status = 200;
        ctx.set({
          'Content-Type': meta.type,
          // The id names the bytes, so it is a strong validator and what it names never changes.
          ETag: `"${id}"`,
          // Private: what is shared must not hand one owner's image to another.
          'Cache-Control': 'private, max-age=31536000, immutable',
        });
        if (ctx.fresh) ctx.status = 304;
        else if (ctx.method === 'HEAD') ctx.length = meta.sizeBytes;
        else ctx.body = queries.findBytes(id);
      };
    },
  }),
];

/** What clients reach us under: as configured, else as this client says. */
function originOf(ctx: ParameterizedContext, base: string | undefined): string {
  if (base !== undefined) return base;
  const origin = `${ctx.protocol}://${ctx.host}`;
  if (ctx.host !== '' && URL.canParse(origin) && new URL(origin).host === ctx.host.toLowerCase())
    return origin;
  return `${ctx.protocol}://${ctx.req.socket.localAddress}:${ctx.req.socket.localPort}`;
}
