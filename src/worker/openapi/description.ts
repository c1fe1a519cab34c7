import { z } from 'zod';
import { opsLink, opsSession } from '../ops/schema.ts';
import type { AnswerDescription, RouteDescription } from './route-description.ts';

const trouble = z.object({ name: z.string(), reason: z.string() }).meta({ id: 'Trouble' });

const ready = z
  .object({
    ready: z.boolean(),
    notReady: z.array(trouble).optional(),
    degraded: z
      .array(trouble)
      .optional()
      .meta({ description: 'What is out of order while the rest serves.' }),
    replication: z.looseObject({}).optional().meta({ description: 'With ?verbose: how far the replica is.' }),
    releases: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: 'With ?verbose: the release of each process.' }),
    drill: z.looseObject({}).optional().meta({ description: 'With ?verbose: how the last drill went.' }),
  })
  .meta({ id: 'Readiness' });

const NOT_MODIFIED: AnswerDescription = { description: 'It is still what If-None-Match names.' };
const IF_NONE_MATCH = {
  'If-None-Match': { schema: z.string(), description: 'The ETag of what the client has.' },
};

/** Where no feature has a page of its own there. */
export const homeDescription: RouteDescription = {
  method: 'get',
  path: '/',
  scope: 'public',
  id: 'getHome',
  summary: 'A page that says what this is',
  headers: IF_NONE_MATCH,
  answers: { 200: { description: 'The page.', content: { 'text/html': {} } }, 304: NOT_MODIFIED },
};

/** The routes of the chassis itself, by their tag. */
export const chassisRoutes: Readonly<Record<'health' | 'docs' | 'operations', readonly RouteDescription[]>> =
  {
    health: [
      {
        method: 'get',
        path: '/health',
        scope: 'public',
        id: 'getHealth',
        summary: 'Whether a worker answers',
        answers: {
          200: {
            description: 'It does.',
            content: {
              'application/json': {
                schema: z.object({ service: z.literal('online') }).meta({ id: 'Health' }),
                example: { service: 'online' },
              },
            },
          },
        },
      },
      {
        method: 'get',
        path: '/ready',
        scope: 'public',
        id: 'getReady',
        summary: 'Whether the system as a whole can serve',
        query: {
          verbose: {
            schema: z.string(),
            description: 'With any value: all that is known, of the replication and of the drills too.',
          },
        },
        answers: {
          200: {
            description: 'It can.',
            content: { 'application/json': { schema: ready, example: { ready: true } } },
          },
          503: {
            description:
              'It cannot. With ?verbose the body is as that of 200, else it is a problem document.',
            content: {
              'application/json': {
                schema: ready,
                example: { ready: false, notReady: [{ name: 'writer', reason: 'starting' }], degraded: [] },
              },
            },
          },
        },
        errors: ['not_ready'],
      },
    ],
    docs: [
      {
        method: 'get',
        path: '/openapi.json',
        scope: 'public',
        id: 'getDescription',
        summary: 'This description',
        headers: IF_NONE_MATCH,
        answers: {
          200: {
            description: 'An OpenAPI 3.1 document.',
            content: { 'application/json': { schema: z.looseObject({ openapi: z.string() }) } },
            headers: { ETag: 'Names this version of it.' },
          },
          304: NOT_MODIFIED,
        },
      },
      {
        method: 'get',
        path: '/docs',
        scope: 'public',
        id: 'getDocs',
        summary: 'This description as a page',
        headers: IF_NONE_MATCH,
        answers: { 200: { description: 'The page.', content: { 'text/html': {} } }, 304: NOT_MODIFIED },
      },
      {
        method: 'get',
        path: '/docs/:file',
        scope: 'public',
        id: 'getDocsFile',
        summary: 'A file of that page',
        params: {
          file: { schema: z.string(), description: 'The name of the file.', example: 'swagger-ui.css' },
        },
        headers: IF_NONE_MATCH,
        answers: {
          200: {
            description: 'The file.',
            content: { 'text/css': {}, 'text/javascript': {}, 'image/png': {} },
          },
          304: NOT_MODIFIED,
        },
        errors: ['not_found'],
      },
    ],
    operations: [
      {
        method: 'get',
        path: '/metrics',
        scope: 'metrics',
        id: 'getMetrics',
        summary: 'The whole system for Prometheus',
        answers: { 200: { description: "Prometheus' text format.", content: { 'text/plain': {} } } },
        errors: ['not_ready'],
      },
      {
        method: 'get',
        path: '/ops',
        scope: 'public',
        id: 'getOps',
        summary: 'A page that shows the system live',
        headers: IF_NONE_MATCH,
        answers: {
          200: { description: 'The page; it holds no data.', content: { 'text/html': {} } },
          304: NOT_MODIFIED,
        },
      },
      {
        method: 'get',
        path: '/ops/live',
        scope: 'operator',
        id: 'watchSystem',
        summary: 'The state of the system, twice a second',
        answers: {
          200: {
            description:
              'Server-sent events: `history`, the samples of the last minutes, once; then `system`, everything that is known, again and again.',
            content: { 'text/event-stream': {} },
          },
        },
        errors: ['not_ready'],
      },
      {
        method: 'post',
        path: '/ops/session',
        scope: 'public',
        id: 'openOpsSession',
        summary: 'Exchanges a link of `ninelives ops` for a session of that page',
        body: { 'application/json': { schema: opsLink } },
        answers: {
          200: {
            description: 'For an hour it is taken as a key that reads what is for the operator.',
            content: { 'application/json': { schema: opsSession } },
          },
        },
        errors: ['unauthorized', 'not_ready'],
      },
      {
        method: 'get',
        path: '/ops/:file',
        scope: 'public',
        id: 'getOpsFile',
        summary: 'A file of that page',
        params: { file: { schema: z.string(), description: 'The name of the file.', example: 'ops.css' } },
        headers: IF_NONE_MATCH,
        answers: {
          200: { description: 'The file.', content: { 'text/css': {}, 'text/javascript': {} } },
          304: NOT_MODIFIED,
        },
        errors: ['not_found'],
      },
    ],
  };
