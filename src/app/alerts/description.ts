import { z } from 'zod';
import type { ContentDescription, RouteDescription } from '../../worker/openapi/route-description.ts';
import {
  alert,
  alertPatch,
  alertState,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
  listQuery,
  movieId,
} from './schema.ts';

const EXAMPLE = {
  movieId: 'tt0111161',
  email: 'andy@example.org',
  notification_date: '2030-09-23',
  title: 'The Shawshank Redemption',
  category: 'drama',
  imageUrl: 'https://example.org/cover.png',
};

const schema = alert.meta({ id: 'Alert', examples: [EXAMPLE] });
const ALERT: ContentDescription = { 'application/json': { schema, example: EXAMPLE } };
const STATE_EXAMPLE = {
  ...EXAMPLE,
  status: 'scheduled',
  attempts: 0,
  next_attempt_at: null,
  last_error: null,
  sent_at: null,
};
const stateSchema = alertState.meta({ id: 'AlertState', examples: [STATE_EXAMPLE] });
const STATE: ContentDescription = { 'application/json': { schema: stateSchema, example: STATE_EXAMPLE } };
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
const IF_MATCH: RouteDescription['headers'] = {
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
  movieId: { schema: movieId, description: 'The movie of the alert.', example: EXAMPLE.movieId },
};

const TOKEN = { token: { schema: z.string(), description: 'From the link of a mail.', example: 'x8Zp…' } };
const PAGE = { description: 'A page for people.', content: { 'text/html': {} } };

/** What clients are told of the alerts' routes. */
export const description: readonly RouteDescription[] = [
  {
    method: 'post',
    path: '/alert',
    scope: 'write',
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
  },
  {
    method: 'get',
    path: '/alert',
    scope: 'read',
    id: 'listAlerts',
    summary: 'List the alerts, the newest first',
    detail:
      'With a filter, a page may hold fewer alerts than `limit`, or none, and yet not be the last: `has_more` tells.',
    query: {
      limit: {
        // Digits in a query string, a number to whoever generates code from this.
        schema: { type: 'integer', minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT },
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
  },
  {
    method: 'get',
    path: '/alert/movie/:movieId',
    scope: 'read',
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
  },
  {
    method: 'patch',
    path: '/alert/movie/:movieId',
    scope: 'write',
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
  },
  {
    method: 'post',
    path: '/alert/movie/:movieId/cancel',
    scope: 'write',
    id: 'cancelAlert',
    summary: 'Cancel an alert that is not sent yet',
    params: PARAMS,
    headers: IF_MATCH,
    answers: { 200: { description: 'The alert is cancelled.', content: STATE, headers: TAG } },
    errors: ['not_found', 'alert_sending', 'alert_sent', 'precondition_failed'],
  },
  {
    method: 'post',
    path: '/alert/movie/:movieId/retry',
    scope: 'write',
    id: 'retryAlert',
    summary: 'Have an alert that has failed tried again',
    params: PARAMS,
    headers: IF_MATCH,
    answers: { 200: { description: 'The alert is scheduled.', content: STATE, headers: TAG } },
    errors: ['not_found', 'alert_not_failed', 'precondition_failed'],
  },
  {
    method: 'delete',
    path: '/alert/movie/:movieId',
    scope: 'write',
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
  },
  {
    method: 'get',
    path: '/unsubscribe/:token',
    scope: 'public',
    id: 'showUnsubscribe',
    summary: 'The page that the unsubscribe link of a mail leads to',
    params: TOKEN,
    answers: { 200: PAGE },
    errors: ['not_found'],
  },
  {
    method: 'post',
    path: '/unsubscribe/:token',
    scope: 'public',
    id: 'unsubscribe',
    summary: 'Unsubscribe the address that a mail went to, in one click (RFC 8058)',
    detail:
      'Whatever of its alerts is not sent yet is cancelled when its time comes. What the body holds is ignored.',
    params: TOKEN,
    answers: { 200: PAGE },
    errors: ['not_found'],
  },
];
