import { z } from 'zod';
import type { ContentDescription, RouteDescription } from '../worker/openapi/route-description.ts';
import { alert, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, listQuery, movieId } from './schema.ts';

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
const PARAMS = {
  movieId: { schema: movieId, description: 'The movie of the alert.', example: EXAMPLE.movieId },
};

/** What clients are told of the alerts' routes. */
export const description: readonly RouteDescription[] = [
  {
    method: 'post',
    path: '/alert',
    scope: 'write',
    id: 'putAlert',
    summary: 'Make the alert of a movie, or replace it',
    body: ALERT,
    answers: {
      201: {
        description: 'The alert is new.',
        content: ALERT,
        headers: { Location: 'Where the alert is.' },
      },
      200: {
        description: 'The alert has replaced the one that the movie had.',
        content: ALERT,
        headers: { Location: 'Where the alert is.' },
      },
    },
  },
  {
    method: 'get',
    path: '/alert',
    scope: 'read',
    id: 'listAlerts',
    summary: 'List the alerts, the newest first',
    query: {
      limit: {
        // Digits in a query string, a number to whoever generates code from this.
        schema: { type: 'integer', minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT },
        description: 'Most alerts in the answer.',
      },
      cursor: { schema: listQuery.shape.cursor, description: 'The next_cursor of the page before.' },
    },
    answers: {
      200: {
        description: 'A page of the list.',
        content: {
          'application/json': {
            schema: z.object({
              items: z.array(schema),
              next_cursor: z
                .string()
                .nullable()
                .meta({ description: 'Asks for the next page; null on the last.' }),
              has_more: z.boolean(),
            }),
            example: { items: [EXAMPLE], next_cursor: null, has_more: false },
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
    answers: { 200: { description: 'The alert.', content: ALERT } },
    errors: ['not_found'],
  },
  {
    method: 'delete',
    path: '/alert/movie/:movieId',
    scope: 'write',
    id: 'removeAlert',
    summary: 'Remove the alert of a movie',
    params: PARAMS,
    answers: {
      200: {
        description: 'The alert is removed.',
        content: {
          'application/json': {
            schema: z.object({ movieId, message: z.string() }),
            example: { movieId: EXAMPLE.movieId, message: 'Alert successfully removed' },
          },
        },
      },
    },
    errors: ['not_found'],
  },
];
