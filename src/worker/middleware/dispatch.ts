import type { RouterContext, RouterMiddleware } from '@koa/router';
import type { Guard } from '../../contract/feature.ts';
import { Failure } from '../../platform/errors.ts';
import { doorOf } from '../doors.ts';
import { Router } from '../router.ts';
import type { ServedRoute } from './served-route.ts';

/** One whose parameters are segments: it takes paths of as many slashes as it has itself. */
const PLAIN_PATTERN = /^[/\w.~:-]*$/;

/**
 * Serves routes by @koa/router, and answers for what is none: 404, 405 with Allow, OPTIONS with 204 and Allow.
 *
 * @param operator what the operator's sockets serve, and nothing else
 * @param others what everybody is served beside
 * @param guard counts what is refused, too
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
  /** By how many slashes a path has; the last for all that have more. */
  readonly bySlashes: readonly RouterMiddleware[];
  /** Of any path. */
  readonly methods: readonly string[];
}

/** A router tries its routes one by one, so there is one for the few that a path of so many slashes can be. */
function routerOf(routes: readonly ServedRoute[]): Served {
  const most = Math.max(...routes.map(({ route }) => slashesOf(route.path)));
  const bySlashes = Array.from({ length: most + 2 }, (_, slashes) => {
    // Exactly as they are written: a rule of a proxy for /metrics must also hold for whatever leads there.
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
