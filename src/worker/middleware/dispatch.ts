import type Router from '@koa/router';
import type { Layer, RouterContext } from '@koa/router';
import type { Guard, Handler } from '../../contract/feature.ts';
import { Failure } from '../../errors.ts';
import { doorOf } from '../doors.ts';

/** Everything registered under one pattern. */
interface Route {
  readonly pattern: string;
  readonly regexp: RegExp;
  readonly paramNames: readonly string[];
  readonly handlers: ReadonlyMap<string, Handler>;
}

/**
 * Serves what was registered on a router, and answers for what was not: 404, 405 with Allow, OPTIONS with 204
 * and Allow. It reads the router's layers once; the router's own middleware composes a new chain for every
 * request, which made up a third of the JavaScript that a read by key ran.
 *
 * @param isOps whether a pattern is the operator's: by its sockets nothing else is there
 * @param guard counts what is refused, too
 *
 * Handlers get `ctx.params`, decoded, and `_matchedRoute`, as from the router itself.
 *
 * @throws Failure internal for what this cannot serve: `router.use`, patterns that are regular expressions, and
 *   more than one function a route
 */
export function dispatch(
  router: Router,
  isOps: (pattern: string) => boolean,
  guard: Guard,
): (ctx: RouterContext) => unknown {
  const all = compile(router.stack);
  const ofOperator = all.filter(({ pattern }) => isOps(pattern));
  return (ctx) => {
    const { path, method } = ctx.request;
    const routes = doorOf(ctx.req) === undefined ? all : ofOperator;
    for (const route of routes) {
      const match = route.regexp.exec(path);
      const handler = match === null ? undefined : route.handlers.get(method);
      if (match === null || handler === undefined) continue;
      ctx._matchedRoute = route.pattern;
      ctx.params = paramsOf(route, match);
      return handler(ctx);
    }
    return answerUnmatched(ctx, routes, guard);
  };
}

function compile(layers: readonly Layer[]): readonly Route[] {
  const routes = new Map<string, Route & { readonly handlers: Map<string, Handler> }>();
  for (const { path: pattern, methods, regexp, paramNames, stack } of layers) {
    if (typeof pattern !== 'string' || methods.length === 0) {
      throw new Failure('internal', `The route ${pattern} is no pattern with a method`);
    }
    const route = routes.get(pattern) ?? {
      pattern,
      regexp,
      paramNames: paramNames.map(({ name }) => name),
      handlers: new Map<string, Handler>(),
    };
    routes.set(pattern, route);
    const [handler, ...others] = stack as unknown as readonly Handler[];
    if (handler === undefined || others.length > 0) {
      throw new Failure('internal', `The route ${pattern} is not one function`);
    }
    // Who registers first wins, as in the router.
    for (const method of methods) if (!route.handlers.has(method)) route.handlers.set(method, handler);
  }
  return [...routes.values()];
}

function paramsOf({ paramNames }: Route, match: RegExpExecArray): Record<string, string> {
  const params: Record<string, string> = {};
  // The pipeline has refused paths that cannot be decoded.
  paramNames.forEach((name, index) => {
    params[name] = decodeURIComponent(match[index + 1] ?? '');
  });
  return params;
}

function answerUnmatched(ctx: RouterContext, routes: readonly Route[], guard: Guard): void | Promise<void> {
  // `OPTIONS *` asks about the server as a whole: RFC 9110 9.3.7.
  const isServerWide = ctx.method === 'OPTIONS' && ctx.req.url === '*';
  const matching = isServerWide ? routes : routes.filter(({ regexp }) => regexp.test(ctx.path));
  if (matching.length === 0)
    return refuse(ctx, new Failure('not_found', 'There is nothing at this path'), guard);
  if (!isServerWide) for (const { pattern } of matching) ctx._matchedRoute = pattern;
  const methods = new Set(matching.flatMap(({ handlers }) => [...handlers.keys()])).add('OPTIONS');
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
