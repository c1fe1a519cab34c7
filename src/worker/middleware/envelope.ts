import type Koa from 'koa';
import type { Logger } from 'pino';
import { Failure } from '../../errors.ts';
import { discardBody } from './body.ts';
import { PROBES } from './probes.ts';
import { asFailure, PROBLEM_TYPE, problemHeaders, problemOf } from './problem.ts';
import { requestId } from './request-id.ts';
import { logWhenOver, noteCode } from './request-log.ts';

export interface EnvelopeOptions {
  readonly log: Logger;
  /** Whether this process is about to go: every answer then asks the client to connect anew. */
  readonly draining: () => boolean;
  readonly overloaded: () => boolean;
  readonly onDamage: (reason: string) => void;
}

/** What tells of the request, not of the answer that failed. */
const KEPT = new Set(['x-request-id', 'ratelimit', 'ratelimit-policy']);
const OVERLOAD_RETRY_SECONDS = 1;

/**
 * What surrounds every request, in one middleware because each costs: its id, its log line, the answer for
 * what was thrown, and `Connection: close` while draining.
 */
export function envelope({ log, draining, overloaded, onDamage }: EnvelopeOptions): Koa.Middleware {
  return async (ctx, next) => {
    const id = requestId(ctx.req.headers['x-request-id']);
    ctx.res.setHeader('X-Request-Id', id);
    logWhenOver(ctx, id, log);
    try {
      checkTarget(ctx);
      if (overloaded() && !PROBES.has(ctx.path)) {
        throw new Failure('overloaded', 'This process is behind with its work', {
          retryAfterSeconds: OVERLOAD_RETRY_SECONDS,
        });
      }
      await next();
    } catch (thrown) {
      if (!ctx.res.shouldKeepAlive || draining()) await discardBody(ctx.req);
      const failure = asFailure(thrown);
      if (failure.code === 'storage_corrupt') onDamage(String(failure.options.cause ?? failure.message));
      answerProblem(ctx, failure, id, log);
    }
    // After the handler: the draining may have begun while it worked.
    if (draining() && !ctx.res.headersSent) ctx.res.setHeader('Connection', 'close');
  };
}

/** @throws Failure malformed_request for a target that no route could make sense of */
function checkTarget(ctx: Koa.Context): void {
  try {
    // The first access parses the target, and an absolute-form target may be no URL at all.
    const { path } = ctx.request;
    if (path.includes('%')) decodeURIComponent(path);
  } catch (cause) {
    throw new Failure('malformed_request', 'The path is not validly percent-encoded', { cause });
  }
}

function answerProblem(ctx: Koa.Context, failure: Failure, id: string, log: Logger): void {
  const { res } = ctx;
  const { httpStatus } = failure.meaning;
  noteCode(res, failure.code);
  // The other 5xx tell of a state that will pass, and of which its cause has been logged: the request's line says it.
  if (httpStatus === 500 || res.headersSent) {
    log.error({ requestId: id, code: failure.code, err: failure.options.cause ?? failure }, 'request failed');
  }
  if (res.headersSent) {
    // A status can no longer be sent; a cut connection tells the client that the answer is not whole.
    ctx.respond = false;
    res.destroy();
    return;
  }
  for (const name of res.getHeaderNames()) if (!KEPT.has(name)) res.removeHeader(name);
  ctx.set(problemHeaders(failure));
  ctx.status = httpStatus;
  ctx.type = PROBLEM_TYPE;
  ctx.body = JSON.stringify(problemOf(failure, id));
}
