import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Guard, Routes } from '../../contract/feature.ts';
import { Failure } from '../../errors.ts';
import type { Ask } from '../../runtime/answers.ts';
import { readJson, sendJson } from '../middleware/json.ts';
import { noteStream } from '../middleware/request-log.ts';
import { validate } from '../middleware/validate.ts';
import { PAGE_POLICY } from '../page-policy.ts';
import { sendFile, sendPage } from '../send-file.ts';
import { Live, VIEWERS_MAX } from './live.ts';
import { opsLink } from './schema.ts';
import type { OpsSessions } from './sessions.ts';

const require = createRequire(import.meta.url);

/** Each file of the page by its name, with its type; nothing else can be asked for. */
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

export interface OpsOptions {
  readonly ask: Ask;
  readonly sessions: OpsSessions;
  readonly draining: () => boolean;
  readonly guard: Guard;
}

/**
 * For the operator. `GET /metrics`: the whole system for Prometheus, whichever worker answers. `GET /ops`: a page that
 * shows it; it holds no data itself, so it needs no key, and asks its reader for one when `GET /ops/live` wants it. With a
 * link of `ninelives ops` it gets a session in its place, by `POST /ops/session`.
 */
export function opsRoutes(route: Routes, { ask, sessions, draining, guard }: OpsOptions): void {
  const live = new Live({ ask, draining });

  route.get('/metrics', 'metrics', async (ctx) => {
    const { snapshot, series } = await ask('metrics');
    // Loaded with the first scrape: it goes to one worker or to few.
    const { CONTENT_TYPE, expose } = await import('../../metrics/exposition.ts');
    ctx.status = 200;
    ctx.set({ 'Content-Type': CONTENT_TYPE, 'Cache-Control': 'no-store' });
    ctx.body = await expose(snapshot, series);
  });

  route.get('/ops', 'public', (ctx) => {
    ctx.set('Content-Security-Policy', PAGE_POLICY);
    sendPage(ctx, 'ops', readFileSync(page('index.html'), 'utf8'));
  });

  route.get('/ops/live', 'operator', async (ctx) => {
    if (live.count >= VIEWERS_MAX) {
      throw new Failure('overloaded', 'Too many watch the system already', { retryAfterSeconds: 5 });
    }
    const stream = await live.watch(async () => {
      try {
        await guard(ctx, 'operator');
        return true;
      } catch {
        return false;
      }
    });
    noteStream(ctx.res);
    ctx.status = 200;
    ctx.body = stream;
    ctx.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
  });

  // What it takes and gives stands in bodies, which nothing logs.
  route.post('/ops/session', 'public', async (ctx) => {
    const { token } = validate(opsLink, await readJson(ctx));
    const session = await sessions.open(token);
    ctx.set('Cache-Control', 'no-store');
    sendJson(ctx, 200, session);
  });

  route.get('/ops/:file', 'public', (ctx) => {
    const file = Object.hasOwn(FILES, ctx.params.file!) ? FILES[ctx.params.file!] : undefined;
    if (file === undefined) throw new Failure('not_found', 'There is no such file');
    sendFile(ctx, file.type, readFileSync(file.path()));
  });
}

function page(name: string): URL {
  return new URL(`./page/${name}`, import.meta.url);
}
