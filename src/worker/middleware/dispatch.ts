import type { RouterContext, RouterMiddleware } from '@koa/router';
import { doorOf } from '../../callers/doors.ts';
import type { Guard } from '../../contract/feature.ts';
import { Failure } from '../../platform/errors.ts';
import { Router } from '../router.ts';
import type { ServedRoute } from './served-route.ts';

/** A pattern whose parameters are whole segments: it matches only paths with the same number of slashes. */
const PLAIN_PATTERN = /^[/\w.~:-]*$/;

/**
 * Serves routes by @koa/router, and answers requests that no route takes: 404, 405 with Allow, OPTIONS with 204 and
 * Allow.
 *
 * @param operator the only routes that the operator's sockets serve
 * @param others the further routes of the public port
 * @param guard also counts the requests that no route takes
 */
export function dispatch(
  operator: readonly ServedRoute[],
  others: readonly ServedRoute[],
  guard: Guard,
): (ctx: RouterContext) => unknown {
  const ofOperator = routerOf(operator);
  const ofAll = routerOf([...operator, ...others]);
  return (ctx) => {
    const { bySlashes, methods } = doorOf(ctx.req) === undefined ? ofAll : ofOperator;
    const middleware = bySlashes[Math.min(slashesOf(ctx.path), bySlashes.length - 1)]!;
    return middleware(ctx, async () => answerUnmatched(ctx, methods, guard));
  };
}

interface Served {
  /** Routers by the number of slashes in a path; the last one serves paths that have more. */
  readonly bySlashes: readonly RouterMiddleware[];
  /** The methods of all paths. */
  readonly methods: readonly string[];
}

/**
 * A router tries its routes one by one. So each number of slashes has its own router, with only its possible routes.
 */
function routerOf(routes: readonly ServedRoute[]): Served {
  const most = Math.max(...routes.map(({ route }) => slashesOf(route.path)));
  const bySlashes = Array.from({ length: most + 2 }, (_, slashes) => {
    // Paths match exactly as written, so that a proxy's rule for /metrics covers every path that leads there.
    const router = new Router({ sensitive: true, strict: true });
    for (const { route, handle } of routes) {
      const isPossible = !PLAIN_PATTERN.test(route.path) || slashesOf(route.path) === slashes;
      if (isPossible) router[route.method](route.path, handle);
    }
    return router.routes();
  });
  const methods = routes.map(({ route }) => route.method.toUpperCase());
  return { bySlashes, methods: methods.includes('GET') ? [...methods, 'HEAD'] : methods };
}

function slashesOf(path: string): number {
  let slashes = 0;
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) slashes += 1;
  return slashes;
}

function answerUnmatched(ctx: RouterContext, all: readonly string[], guard: Guard): void | Promise<void> {
  // `OPTIONS *` asks about the server as a whole: RFC 9110 9.3.7.
  const isServerWide = ctx.method === 'OPTIONS' && ctx.req.url === '*';
  const matched = ctx.matched ?? [];
  if (!isServerWide && matched.length === 0)
    return refuse(ctx, new Failure('not_found', 'There is nothing at this path'), guard);
  if (!isServerWide) ctx.routerPath = String(matched.at(-1)?.path);
  const methods = new Set(isServerWide ? all : matched.flatMap((layer) => layer.methods)).add('OPTIONS');
  const allow = [...methods].sort().join(', ');
  if (ctx.method !== 'OPTIONS') {
    return refuse(
      ctx,
      new Failure('method_not_allowed', `This path does not take ${ctx.method}`, {
        headers: { Allow: allow },
      }),
      guard,
    );
  }
  ctx.set('Allow', allow);
  ctx.status = 204;
}

function refuse(ctx: RouterContext, failure: Failure, guard: Guard): Promise<void> | undefined {
  const pending = guard(ctx, undefined);
  if (pending === undefined) throw failure;
  return pending.then(() => {
    throw failure;
  });
}
