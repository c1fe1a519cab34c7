import { callerOf, type RouteContext } from '../feature.ts';
import { readJson, sendJson } from '../worker/middleware/json.ts';
import { invalidRequest, validate } from '../worker/middleware/validate.ts';
import { type commands, noSuchAlert } from './commands.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { prepareQueries } from './queries.ts';
import { alert, listQuery, movieId } from './schema.ts';

/** The alerts over HTTP: create or replace, list, read and remove. */
export function routes({ route, db, write }: RouteContext<typeof commands>): void {
  const queries = prepareQueries(db);

  route.post('/alert', 'write', async (ctx) => {
    const input = validate(alert, await readJson(ctx));
    const { version } = await write(ctx, 'put', { owner: callerOf(ctx).owner, alert: input });
    ctx.set('Location', `/alert/movie/${encodeURIComponent(input.movieId)}`);
    sendJson(ctx, version === 1 ? 201 : 200, input);
  });

  route.get('/alert', 'read', (ctx) => {
    const { limit, cursor } = validate(listQuery, ctx.query);
    const beforeId = cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeCursor(cursor);
    if (beforeId === undefined) {
      throw invalidRequest([{ field: 'cursor', message: 'expected a next_cursor of this list' }]);
    }
    // One more than asked for tells whether there is another page.
    const rows = queries.listBefore(callerOf(ctx).owner, beforeId, limit + 1);
    const page = rows.slice(0, limit);
    const hasMore = rows.length > limit;
    sendJson(ctx, 200, {
      items: page.map(({ id: _id, ...item }) => item),
      next_cursor: hasMore ? encodeCursor(page.at(-1)!.id) : null,
      has_more: hasMore,
    });
  });

  route.get('/alert/movie/:movieId', 'read', (ctx) => {
    const found = queries.find(callerOf(ctx).owner, ctx.params.movieId!);
    if (found === undefined) throw noSuchAlert();
    sendJson(ctx, 200, found);
  });

  route.delete('/alert/movie/:movieId', 'write', async (ctx) => {
    const key = movieId.safeParse(ctx.params.movieId);
    // What cannot be a key has no alert: no reason to trouble the writer.
    if (!key.success) throw noSuchAlert();
    await write(ctx, 'remove', { owner: callerOf(ctx).owner, movieId: key.data });
    sendJson(ctx, 200, { movieId: key.data, message: 'Alert successfully removed' });
  });
}
