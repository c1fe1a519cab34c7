import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { z } from 'zod';
import type { Guard } from '../../contract/feature.ts';
import { routesWith } from '../../contract/route.ts';
import type { Families } from '../../metrics/catalog.ts';
import { Failure } from '../../platform/errors.ts';
import type { Ask } from '../../runtime/answers.ts';
import { sendJson } from '../middleware/json.ts';
import { noteStream } from '../middleware/request-log.ts';
import { PAGE_POLICY } from '../page-policy.ts';
import { IF_NONE_MATCH, NOT_MODIFIED, sendFile, sendPage } from '../send-file.ts';
import { Live, VIEWERS_MAX } from './live.ts';
import { opsLink, opsSession } from './schema.ts';
import type { OpsSessions } from './sessions.ts';

const require = createRequire(import.meta.url);

/** The files of the page that are served, by name; nothing else is. */
const FILES: Readonly<Record<string, { readonly type: string; readonly path: () => string | URL }>> = {
  'ops.css': { type: 'text/css; charset=utf-8', path: () => page('ops.css') },
  'ops.js': { type: 'text/javascript; charset=utf-8', path: () => page('ops.js') },
  'view.js': { type: 'text/javascript; charset=utf-8', path: () => page('view.js') },
  'charts.js': { type: 'text/javascript; charset=utf-8', path: () => page('charts.js') },
  'stream.js': { type: 'text/javascript; charset=utf-8', path: () => page('stream.js') },
  'uplot.js': {
    type: 'text/javascript; charset=utf-8',
    path: () => require.resolve('uplot/dist/uPlot.iife.min.js'),
  },
  'uplot.css': {
    type: 'text/css; charset=utf-8',
    path: () => require.resolve('uplot/dist/uPlot.min.css'),
  },
};

export interface OpsNeeds {
  readonly ask: Ask;
  readonly sessions: OpsSessions;
  readonly appMetrics: Families;
  readonly draining: () => boolean;
  readonly guard: Guard;
}

const defineRoute = routesWith<OpsNeeds>();

/**
 * Routes for the operator. `GET /metrics`: the whole system for Prometheus, whichever worker answers. `GET /ops`: a
 * page that shows the system live. The page itself holds no data and needs no key; it asks its reader for one when `GET
 * /ops/live` requires it. A link of `ninelives ops` gives it a session instead, by `POST /ops/session`.
 */
export const opsRoutes = [
  defineRoute({
    method: 'get',
    path: '/metrics',
    scope: 'metrics',
    rate: 'caller',
    id: 'getMetrics',
    summary: 'The whole system for Prometheus',
    answers: { 200: { description: "Prometheus' text format.", content: { 'text/plain': {} } } },
    errors: ['not_ready'],
    prepare:
      ({ ask, appMetrics }) =>
      async (ctx) => {
        const { snapshot, series } = await ask('metrics');
        // Loaded at the first scrape: scrapes reach only one or few workers.
        const { CONTENT_TYPE, expose } = await import('../../metrics/exposition.ts');
        ctx.status = 200;
        ctx.set({ 'Content-Type': CONTENT_TYPE, 'Cache-Control': 'no-store' });
        ctx.body = await expose(snapshot, series, appMetrics);
      },
  }),
  defineRoute({
    method: 'get',
    path: '/ops',
    scope: 'public',
    rate: 'public',
    id: 'getOps',
    summary: 'A page that shows the system live',
    headers: IF_NONE_MATCH,
    answers: {
      200: { description: 'The page; it holds no data.', content: { 'text/html': {} } },
      304: NOT_MODIFIED,
    },
    prepare: () => (ctx) => {
      ctx.set('Content-Security-Policy', PAGE_POLICY);
      sendPage(ctx, 'ops', readFileSync(page('index.html'), 'utf8'));
    },
  }),
  defineRoute({
    method: 'get',
    path: '/ops/live',
    scope: 'operator',
    rate: 'caller',
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
    prepare({ ask, draining, guard }) {
      const live = new Live({ ask, draining });
      return async (ctx) => {
        if (live.count >= VIEWERS_MAX) {
          throw new Failure('overloaded', 'Too many watch the system already', { retryAfterSeconds: 5 });
        }
        const stream = await live.watch(async () => {
          try {
            // Rate `none`: the request was counted when it began.
            await guard(ctx, { scope: 'operator', rate: 'none' });
            return true;
          } catch {
            return false;
          }
        });
        noteStream(ctx.res);
        ctx.status = 200;
        ctx.body = stream;
        ctx.set({
          'Content-Type': 'text/event-stream',
          'Cache-Control': 'no-store',
          'X-Accel-Buffering': 'no',
        });
      };
    },
  }),
  defineRoute({
    method: 'post',
    path: '/ops/session',
    scope: 'public',
    rate: 'public',
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
    // The token and the session are in bodies, which are never logged.
    prepare:
      ({ sessions }) =>
      async (ctx, { body: { token } }) => {
        const session = await sessions.open(token);
        ctx.set('Cache-Control', 'no-store');
        sendJson(ctx, 200, session);
      },
  }),
  defineRoute({
    method: 'get',
    path: '/ops/:file',
    scope: 'public',
    rate: 'public',
    id: 'getOpsFile',
    summary: 'A file of that page',
    params: { file: { schema: z.string(), description: 'The name of the file.', example: 'ops.css' } },
    headers: IF_NONE_MATCH,
    answers: {
      200: { description: 'The file.', content: { 'text/css': {}, 'text/javascript': {} } },
      304: NOT_MODIFIED,
    },
    errors: ['not_found'],
    prepare:
      () =>
      (ctx, { params: { file: name } }) => {
        const file = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
        if (file === undefined) throw new Failure('not_found', 'There is no such file');
        sendFile(ctx, file.type, readFileSync(file.path()));
      },
  }),
];

function page(name: string): URL {
  return new URL(`./page/${name}`, import.meta.url);
}
