import { createHash } from 'node:crypto';
import { z } from 'zod';
import { publicBaseOf } from '../../../src/config/public-url.ts';
import { callerOf } from '../../../src/contract/feature.ts';
import { type RouteContext, routesWith } from '../../../src/contract/route.ts';
import { Failure } from '../../../src/platform/errors.ts';
import { readBody } from '../../../src/worker/middleware/body.ts';
import { sendJson } from '../../../src/worker/middleware/json.ts';
import type { commands } from './commands.ts';

const FILE_MAX_BYTES = 5 * 1024 * 1024;
const TYPE = 'application/octet-stream';
const BYTES = { type: 'string', format: 'binary' };
const KEPT = {
  'application/json': {
    schema: z.object({ id: z.string(), path: z.string() }).meta({ id: 'KeptFile' }),
    example: { id: 'abc', path: '/file/abc' },
  },
};
const LOCATION = { Location: 'Where they are.' };

const defineRoute = routesWith<RouteContext<typeof commands>>();

export const routes = [
  defineRoute({
    method: 'post',
    path: '/file',
    scope: 'write',
    rate: 'caller',
    id: 'putFile',
    summary: 'Keep bytes',
    body: { [TYPE]: { schema: BYTES } },
    answers: {
      201: { description: 'They are new.', content: KEPT, headers: LOCATION },
      200: { description: 'They were there.', content: KEPT, headers: LOCATION },
    },
    prepare:
      ({ write, config }) =>
      async (ctx) => {
        if (ctx.get('Content-Type') !== TYPE) throw new Failure('unsupported_media_type', `Send ${TYPE}`);
        const bytes = await readBody(ctx.req, { limitBytes: FILE_MAX_BYTES });
        const id = createHash('sha256').update(bytes).digest('hex');
        const { isNew } = await write(ctx, 'put', { owner: callerOf(ctx).owner, id }, bytes);
        const path = `/file/${id}`;
        ctx.set('Location', `${publicBaseOf(config) ?? ''}${path}`);
        sendJson(ctx, isNew ? 201 : 200, { id, path });
      },
  }),
  defineRoute({
    method: 'get',
    path: '/file/:id',
    scope: 'read',
    rate: 'caller',
    id: 'getFile',
    summary: 'The bytes',
    params: { id: { schema: z.string(), description: 'The SHA-256 of the bytes, in hex.', example: 'abc' } },
    answers: {
      200: {
        description: 'They never change.',
        content: { [TYPE]: { schema: BYTES } },
        headers: { ETag: 'The id.' },
      },
      304: { description: 'The client has them.' },
    },
    headers: { 'If-None-Match': { schema: z.string(), description: 'The ETag of what the client has.' } },
    errors: ['not_found'],
    prepare({ db }) {
      const find = db.prepare<[string, string], Buffer>('SELECT bytes FROM files WHERE owner = ? AND id = ?');
      return (ctx, { params: { id } }) => {
        const bytes = find.pluck().get(callerOf(ctx).owner, id);
        if (bytes === undefined) throw new Failure('not_found', 'There is no file with this id');
        ctx.status = 200;
        ctx.set({ 'Content-Type': TYPE, ETag: `"${id}"`, 'Cache-Control': 'private, immutable' });
        if (ctx.fresh) ctx.status = 304;
        else if (ctx.method === 'HEAD') ctx.length = bytes.length;
        else ctx.body = bytes;
      };
    },
  }),
];
