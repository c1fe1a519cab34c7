import type { Context } from 'koa';
import { z } from 'zod';
import { publicBaseOf } from '../../config/public-url.ts';
import { callerOf } from '../../contract/feature.ts';
import { type Content, type RouteContext, type RouteDeclaration, routesWith } from '../../contract/route.ts';
import { conditionsOf } from '../../worker/middleware/conditions.ts';
import { sendJson } from '../../worker/middleware/json.ts';
import { invalidRequest } from '../../worker/middleware/validate.ts';
import { type commands, NO_SUCH_ALERT, noSuchAlert } from './commands.ts';
import { Cursors } from './cursor.ts';
import { prepareFind, prepareQueries } from './queries.ts';
import {
  alert,
  alertPatch,
  alertState,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
  listQuery,
  movieId,
} from './schema.ts';
import { entityTagOf, stateOf } from './state.ts';
import { unsubscribeRoutes } from './unsubscribe/routes.ts';

const defineRoute = routesWith<RouteContext<typeof commands>>();

const EXAMPLE = {
  movieId: 'tt0111161',
  email: 'andy@example.org',
  notification_date: '2030-09-23',
  title: 'The Shawshank Redemption',
  category: 'drama',
  imageUrl: 'https://example.org/cover.png',
};

const schema = alert.meta({ id: 'Alert', examples: [EXAMPLE] });
const ALERT = { 'application/json': { schema, example: EXAMPLE } } satisfies Content;
const STATE_EXAMPLE = {
  ...EXAMPLE,
  status: 'scheduled',
  attempts: 0,
  next_attempt_at: null,
  last_error: null,
  sent_at: null,
};
const stateSchema = alertState.meta({ id: 'AlertState', examples: [STATE_EXAMPLE] });
const STATE = { 'application/json': { schema: stateSchema, example: STATE_EXAMPLE } } satisfies Content;
const pageSchema = z
  .object({
    items: z.array(stateSchema),
    next_cursor: z.string().nullable().meta({ description: 'Asks for the next page; null on the last.' }),
    has_more: z.boolean(),
  })
  .meta({ id: 'AlertPage' });
const patchSchema = alertPatch.meta({ id: 'AlertPatch', minProperties: 1 });
const removedSchema = z.object({ movieId, message: z.string() }).meta({ id: 'RemovedAlert' });
const TAG = { ETag: 'Names this version of the alert, for If-Match and If-None-Match.' };
const IF_MATCH: RouteDeclaration['headers'] = {
  'If-Match': {
    schema: z.string(),
    description: 'The write takes place only when the alert is in one of these versions.',
    example: '"mf3k2a1c-1"',
  },
  'If-None-Match': {
    schema: z.string(),
    description:
      'The write takes place only when the alert is in none of these versions; `*`: when there is none.',
    example: '*',
  },
};
const PARAMS = {
  movieId: {
    schema: movieId,
    description: 'The movie of the alert.',
    example: EXAMPLE.movieId,
    absent: NO_SUCH_ALERT,
  },
};

/** The alerts over HTTP: create or replace, list, read, change, cancel, retry and remove. */
export const routes = [
  defineRoute({
    method: 'post',
    path: '/alert',
    scope: 'write',
    rate: 'caller',
    id: 'putAlert',
    summary: 'Make the alert of a movie, or replace it',
    detail:
      'A date that is past is refused; today is sent at the hour of delivery, or at once when that is over. A replacement is scheduled anew, whatever had become of the alert; one that is being sent cannot be replaced.',
    headers: IF_MATCH,
    body: ALERT,
    answers: {
      201: {
        description: 'The alert is new.',
        content: ALERT,
        headers: { Location: 'Where the alert is.', ...TAG },
      },
      200: {
        description: 'The alert has replaced the one that the movie had.',
        content: ALERT,
        headers: { Location: 'Where the alert is.', ...TAG },
      },
    },
    errors: ['alert_sending', 'precondition_failed'],
    prepare:
      ({ write, config }) =>
      async (ctx, { body: input }) => {
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
      },
  }),
  defineRoute({
    method: 'get',
    path: '/alert',
    scope: 'read',
    rate: 'caller',
    id: 'listAlerts',
    summary: 'List the alerts, the newest first',
    detail:
      'With a filter, a page may hold fewer alerts than `limit`, or none, and yet not be the last: `has_more` tells.',
    query: {
      limit: {
        schema: listQuery.shape.limit,
        told: { type: 'integer', minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT },
        description: 'Most alerts in the answer.',
      },
      cursor: { schema: listQuery.shape.cursor, description: 'The next_cursor of the page before.' },
      status: { schema: listQuery.shape.status, description: 'Only alerts of this status.' },
      from: { schema: listQuery.shape.from, description: 'Only alerts of this date or later.' },
      to: { schema: listQuery.shape.to, description: 'Only alerts of this date or earlier.' },
    },
    answers: {
      200: {
        description: 'A page of the list.',
        content: {
          'application/json': {
            schema: pageSchema,
            example: { items: [STATE_EXAMPLE], next_cursor: null, has_more: false },
          },
        },
      },
    },
    errors: ['invalid_request'],
    prepare({ db }) {
      const queries = prepareQueries(db);
      let cursors: Cursors | undefined;
      return (ctx, { query: { limit, cursor, ...filter } }) => {
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
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/alert/movie/:movieId',
    scope: 'read',
    rate: 'caller',
    id: 'getAlert',
    summary: 'Read the alert of a movie',
    params: PARAMS,
    headers: {
      'If-None-Match': {
        schema: z.string(),
        description: 'Versions that the client has: for one of them the answer is 304.',
        example: '"mf3k2a1c-1"',
      },
    },
    answers: {
      200: { description: 'The alert.', content: STATE, headers: TAG },
      304: { description: 'The client has this version.', headers: TAG },
    },
    errors: ['not_found'],
    prepare({ db }) {
      const find = prepareFind(db);
      return (ctx, { params }) => {
        const found = find(callerOf(ctx).owner, params.movieId);
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
      };
    },
  }),
  defineRoute({
    method: 'patch',
    path: '/alert/movie/:movieId',
    scope: 'write',
    rate: 'caller',
    id: 'changeAlert',
    summary: 'Change fields of an alert that is not sent yet',
    detail:
      'Fields that are left out stay as they are, and so does the status: a failed alert waits for its retry.',
    params: PARAMS,
    headers: IF_MATCH,
    body: {
      'application/json': { schema: patchSchema, example: { notification_date: EXAMPLE.notification_date } },
    },
    answers: { 200: { description: 'The alert as it is now.', content: STATE, headers: TAG } },
    errors: ['not_found', 'alert_sending', 'alert_sent', 'precondition_failed'],
    prepare:
      ({ write }) =>
      async (ctx, { params, body: patch }) => {
        sendState(ctx, await write(ctx, 'patch', { ...targetOf(ctx, params), patch }));
      },
  }),
  defineRoute({
    method: 'post',
    path: '/alert/movie/:movieId/cancel',
    scope: 'write',
    rate: 'caller',
    id: 'cancelAlert',
    summary: 'Cancel an alert that is not sent yet',
    params: PARAMS,
    headers: IF_MATCH,
    answers: { 200: { description: 'The alert is cancelled.', content: STATE, headers: TAG } },
    errors: ['not_found', 'alert_sending', 'alert_sent', 'precondition_failed'],
    prepare:
      ({ write }) =>
      async (ctx, { params }) => {
        sendState(ctx, await write(ctx, 'cancel', targetOf(ctx, params)));
      },
  }),
  defineRoute({
    method: 'post',
    path: '/alert/movie/:movieId/retry',
    scope: 'write',
    rate: 'caller',
    id: 'retryAlert',
    summary: 'Have an alert that has failed tried again',
    params: PARAMS,
    headers: IF_MATCH,
    answers: { 200: { description: 'The alert is scheduled.', content: STATE, headers: TAG } },
    errors: ['not_found', 'alert_not_failed', 'precondition_failed'],
    prepare:
      ({ write }) =>
      async (ctx, { params }) => {
        sendState(ctx, await write(ctx, 'retry', targetOf(ctx, params)));
      },
  }),
  defineRoute({
    method: 'delete',
    path: '/alert/movie/:movieId',
    scope: 'write',
    rate: 'caller',
    id: 'removeAlert',
    summary: 'Remove the alert of a movie',
    params: PARAMS,
    headers: IF_MATCH,
    answers: {
      200: {
        description: 'The alert is removed.',
        content: {
          'application/json': {
            schema: removedSchema,
            example: { movieId: EXAMPLE.movieId, message: 'Alert successfully removed' },
          },
        },
      },
    },
    errors: ['not_found', 'alert_sending', 'precondition_failed'],
    prepare:
      ({ write }) =>
      async (ctx, { params }) => {
        const target = targetOf(ctx, params);
        await write(ctx, 'remove', target);
        sendJson(ctx, 200, { movieId: target.movieId, message: 'Alert successfully removed' });
      },
  }),
  ...unsubscribeRoutes,
];

function sendState(ctx: Context, { state, tag }: { readonly state: object; readonly tag: string }): void {
  ctx.set('ETag', tag);
  sendJson(ctx, 200, state);
}

function targetOf(ctx: Context, { movieId }: { readonly movieId: string }) {
  const conditions = conditionsOf(ctx);
  return { owner: callerOf(ctx).owner, movieId, ...(conditions && { conditions }) };
}
