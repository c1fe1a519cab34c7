import type { Context } from 'koa';
import { callerOf, type RouteContext } from '../../contract/feature.ts';
import { publicBaseOf } from '../../public-url.ts';
import { conditionsOf } from '../../worker/middleware/conditions.ts';
import { readJson, sendJson } from '../../worker/middleware/json.ts';
import { invalidRequest, validate } from '../../worker/middleware/validate.ts';
import { type commands, noSuchAlert } from './commands.ts';
import { Cursors } from './cursor.ts';
import { prepareQueries } from './queries.ts';
import { alert, alertPatch, listQuery, movieId } from './schema.ts';
import { entityTagOf, stateOf } from './state.ts';
import { unsubscribeRoutes } from './unsubscribe/routes.ts';

/** The alerts over HTTP: create or replace, list, read, change, cancel, retry and remove. */
export function routes(context: RouteContext<typeof commands>): void {
  const { route, db, write, config } = context;
  const queries = prepareQueries(db);
  let cursors: Cursors | undefined;

  route.post('/alert', 'write', async (ctx) => {
    const input = validate(alert, await readJson(ctx));
    const conditions = conditionsOf(ctx);
    // A repetition gets the first answer; a writer of a release before does not tell all of it.
    const {
      isNew,
      tag,
      alert: scheduled = input,
      publicUrl = config.PUBLIC_URL,
    } = await write(ctx, 'put', {
      owner: callerOf(ctx).owner,
      alert: input,
      ...(conditions && { conditions }),
    });
    const base = publicBaseOf({ PUBLIC_URL: publicUrl ?? undefined }) ?? '';
    ctx.set('Location', `${base}/alert/movie/${encodeURIComponent(scheduled.movieId)}`);
    ctx.set('ETag', tag);
    sendJson(ctx, isNew ? 201 : 200, scheduled);
  });

  route.get(
    '/alert',
    'read',
    (ctx) => {
      const { limit, cursor, ...filter } = validate(listQuery, ctx.query);
      const { owner } = callerOf(ctx);
      cursors ??= new Cursors(queries.cursorKey());
      const beforeId = cursor === undefined ? Number.MAX_SAFE_INTEGER : cursors.decode(owner, cursor);
      if (beforeId === undefined) {
        throw invalidRequest([{ field: 'cursor', message: 'expected a next_cursor of this list' }]);
      }
      const { rows, nextBeforeId } = queries.list(owner, beforeId, limit, filter);
      sendJson(ctx, 200, {
        items: rows.map(stateOf),
        next_cursor: nextBeforeId === undefined ? null : cursors.encode(owner, nextBeforeId),
        has_more: nextBeforeId !== undefined,
      });
    },
    Object.keys(listQuery.shape),
  );

  route.get('/alert/movie/:movieId', 'read', (ctx) => {
    const found = queries.find(callerOf(ctx).owner, ctx.params.movieId!);
    if (found === undefined) throw noSuchAlert();
    ctx.set('ETag', entityTagOf(found));
    if (ctx.req.headers['if-none-match'] !== undefined) {
      ctx.status = 200;
      if (ctx.fresh) {
        ctx.status = 304;
        return;
      }
    }
    sendJson(ctx, 200, stateOf(found));
  });

  route.patch('/alert/movie/:movieId', 'write', async (ctx) => {
    const target = targetOf(ctx, ctx.params.movieId);
    const patch = validate(alertPatch, await readJson(ctx));
    const { state, tag } = await write(ctx, 'patch', { ...target, patch });
    ctx.set('ETag', tag);
    sendJson(ctx, 200, state);
  });

  for (const action of ['cancel', 'retry'] as const) {
    route.post(`/alert/movie/:movieId/${action}`, 'write', async (ctx) => {
      const { state, tag } = await write(ctx, action, targetOf(ctx, ctx.params.movieId));
      ctx.set('ETag', tag);
      sendJson(ctx, 200, state);
    });
  }

  route.delete('/alert/movie/:movieId', 'write', async (ctx) => {
    const target = targetOf(ctx, ctx.params.movieId);
    await write(ctx, 'remove', target);
    sendJson(ctx, 200, { movieId: target.movieId, message: 'Alert successfully removed' });
  });

  unsubscribeRoutes(context, queries);
}

/** @throws Failure not_found for what cannot be a key: no reason to trouble the writer */
function targetOf(ctx: Context, param: string | undefined) {
  const key = movieId.safeParse(param);
  if (!key.success) throw noSuchAlert();
  const conditions = conditionsOf(ctx);
  return { owner: callerOf(ctx).owner, movieId: key.data, ...(conditions && { conditions }) };
}
