import type { ParameterizedContext } from 'koa';
import { callerOf, type RouteContext } from '../../contract/feature.ts';
import { Failure } from '../../errors.ts';
import { publicBaseOf } from '../../public-url.ts';
import { readBody, refuseEncoded } from '../../worker/middleware/body.ts';
import { sendJson } from '../../worker/middleware/json.ts';
import type { commands } from './commands.ts';
import { identify } from './identify.ts';
import { fileOf, requireMultipart } from './multipart.ts';
import { prepareQueries } from './queries.ts';
import { IMAGE_MAX_BYTES, imageId } from './schema.ts';

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

/** The cover images over HTTP: upload and download. */
export function routes({ route, db, write, config }: RouteContext<typeof commands>): void {
  const queries = prepareQueries(db);
  // For a writer of a release before.
  const quotaBytes = config.UPLOAD_QUOTA_MB * MB_BYTES;
  let uploads = 0;
  const byOwner = new Map<string, number>();

  route.post('/movie/image', 'write', async (ctx) => {
    requireMultipart(ctx.req);
    refuseEncoded(ctx.req);
    const { owner } = callerOf(ctx);
    const own = byOwner.get(owner) ?? 0;
    if (uploads >= UPLOADS_MAX - (own > 0 ? KEPT_FOR_OTHERS : 0)) {
      throw new Failure('overloaded', 'Too many uploads at once', { retryAfterSeconds: RETRY_AFTER_SECONDS });
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
  });

  route.get('/movie/image/:id', 'read', (ctx) => {
    const id = imageId.safeParse(ctx.params.id);
    const meta = id.success ? queries.findMeta(callerOf(ctx).owner, id.data) : undefined;
    if (id.data === undefined || meta === undefined) {
      throw new Failure('not_found', 'There is no image with this id');
    }
    ctx.status = 200;
    ctx.set({
      'Content-Type': meta.type,
      // The id names the bytes, so it is a strong validator and what it names never changes.
      ETag: `"${id.data}"`,
      // Private: what is shared must not hand one owner's image to another.
      'Cache-Control': 'private, max-age=31536000, immutable',
    });
    if (ctx.fresh) ctx.status = 304;
    else if (ctx.method === 'HEAD') ctx.length = meta.sizeBytes;
    else ctx.body = queries.findBytes(id.data);
  });
}

/** What clients reach us under: as configured, else as this client says. */
function originOf(ctx: ParameterizedContext, base: string | undefined): string {
  if (base !== undefined) return base;
  const origin = `${ctx.protocol}://${ctx.host}`;
  if (ctx.host !== '' && URL.canParse(origin) && new URL(origin).host === ctx.host.toLowerCase())
    return origin;
  return `${ctx.protocol}://${ctx.req.socket.localAddress}:${ctx.req.socket.localPort}`;
}
