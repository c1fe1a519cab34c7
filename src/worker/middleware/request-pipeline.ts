import type { ServerResponse } from 'node:http';
import type { RouterContext } from '@koa/router';
import type Koa from 'koa';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import { Failure } from '../../platform/errors.ts';
import type { RequestMeter } from '../request-meter.ts';
import { discardBody } from './body.ts';
import { compress, isCompressible } from './compress.ts';
import { CORS_HEADERS, cors } from './cors.ts';
import { PROBES } from './probes.ts';
import { asFailure, PROBLEM_TYPE, problemHeaders, problemOf } from './problem.ts';
import { checkHead } from './request-head.ts';
import { requestId } from './request-id.ts';
import { logWhenOver, noteCode, requestSink } from './request-log.ts';
import { secure, securityHeaders } from './security-headers.ts';
import { TARGET_MAX_CHARS, uriTooLong } from './target.ts';

export interface RequestPipelineOptions {
  readonly log: Logger;
  readonly requests: RequestMeter;
  /** Whether this process drains: every answer then asks the client to reconnect (`Connection: close`). */
  readonly draining: () => boolean;
  readonly overloaded: () => boolean;
  readonly onDamage: (reason: string) => void;
  readonly config: Pick<Config, 'PUBLIC_URL' | 'HSTS_MAX_AGE_SECONDS' | 'CORS_ORIGINS'>;
}

/** Headers that belong to the request, not to the answer that failed: they are kept for the problem document. */
const KEPT: ReadonlySet<string> = new Set([
  ...['x-request-id', 'ratelimit', 'ratelimit-policy', 'cross-origin-resource-policy'],
  ...CORS_HEADERS,
]);
const OVERLOAD_RETRY_SECONDS = 1;

/**
 * Everything around a request: its id, its log line, the headers of every answer, the problem document for an error,
 * compression, and `Connection: close` while draining. It is one middleware, because each middleware costs time.
 * @param answer the handler in the middle, which answers the request
 */
export function requestPipeline(
  options: RequestPipelineOptions,
  answer: (ctx: RouterContext) => unknown,
): (ctx: RouterContext) => Promise<void> {
  const { log, requests, draining, overloaded, onDamage, config } = options;
  const security = securityHeaders(config);
  const sink = requestSink(log, requests);
  const origins = cors(config.CORS_ORIGINS);
  return async (ctx) => {
    const id = requestId(ctx.req.headers['x-request-id']);
    ctx.res.setHeader('X-Request-Id', id);
    origins?.allow(ctx);
    logWhenOver(ctx, id, sink);
    try {
      checkHead(ctx.req);
      checkTarget(ctx);
      if (overloaded() && !PROBES.has(ctx.path)) {
        throw new Failure('overloaded', 'This process is behind with its work', {
          retryAfterSeconds: OVERLOAD_RETRY_SECONDS,
        });
      }
      await answer(ctx);
      origins?.finish(ctx);
    } catch (thrown) {
      if (!ctx.res.shouldKeepAlive || draining()) await discardBody(ctx.req);
      const failure = asFailure(thrown);
      if (failure.code === 'storage_corrupt') onDamage(String(failure.options.cause ?? failure.message));
      if (!ctx.res.headersSent) clear(ctx.res);
      answerProblem(ctx, failure, id, log);
    }
    if (!ctx.res.headersSent) secure(ctx.res, security);
    if (isCompressible(ctx)) await compress(ctx);
    // Checked after the handler: draining may have begun while it worked.
    if (draining() && !ctx.res.headersSent) ctx.res.setHeader('Connection', 'close');
  };
}

/** @throws Failure uri_too_long, or malformed_request for a target that cannot be parsed or decoded */
function checkTarget(ctx: Koa.Context): void {
  if ((ctx.req.url?.length ?? 0) > TARGET_MAX_CHARS) throw uriTooLong();
  try {
    // The first access parses the target. One in absolute-form may be no valid URL.
    const { path } = ctx.request;
    if (path.includes('%')) decodeURIComponent(path);
  } catch (cause) {
    throw new Failure('malformed_request', 'The path is not validly percent-encoded', { cause });
  }
}

/** Removes the headers of the answer that failed. */
function clear(res: ServerResponse): void {
  for (const name of res.getHeaderNames()) if (!KEPT.has(name)) res.removeHeader(name);
}

function answerProblem(ctx: Koa.Context, failure: Failure, id: string, log: Logger): void {
  const { res } = ctx;
  const { httpStatus } = failure.meaning;
  noteCode(res, failure.code);
  // The other 5xx come from a passing state whose cause has been logged already: the request's line is enough.
  if (httpStatus === 500 || res.headersSent) {
    log.error({ requestId: id, code: failure.code, err: failure.options.cause ?? failure }, 'request failed');
  }
  if (res.headersSent) {
    // A status can no longer be sent. A cut connection tells the client that the answer is incomplete.
    ctx.respond = false;
    res.destroy();
    return;
  }
  ctx.set(problemHeaders(failure));
  ctx.status = httpStatus;
  ctx.type = PROBLEM_TYPE;
  ctx.body = JSON.stringify(problemOf(failure, id));
}
