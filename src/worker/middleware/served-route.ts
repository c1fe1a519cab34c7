import type { RouterContext } from '@koa/router';
import { z } from 'zod';
import type { Guard } from '../../contract/feature.ts';
import type { Parameter, Route, RouteDeclaration } from '../../contract/route.ts';
import { Failure } from '../../platform/errors.ts';
import { readJson } from './json.ts';
import { queryCheck } from './known-query.ts';
import { validate } from './validate.ts';

/** Answers one request, synchronously or not. */
export type Handler = (ctx: RouterContext) => unknown;

/** A route with its handler in this process. */
export interface ServedRoute {
  readonly route: RouteDeclaration;
  readonly handle: Handler;
}

interface Input {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** The query of a request without a query string, which Koa would still parse. */
const NO_QUERY: Input['query'] = Object.freeze({});

/**
 * Prepares routes for serving. Each request passes the guard first, so that no route can be left open by accident. Then
 * its input is validated as the route declares it, and the handler gets the validated input.
 * @param context passed to the `prepare` of each route
 */
export function serve<RouteNeeds>(
  routes: readonly Route<RouteNeeds>[],
  context: RouteNeeds,
  guard: Guard,
): readonly ServedRoute[] {
  return routes.map((route) => {
    const answer = route.prepare(context);
    const read = inputReader(route);
    const given = (ctx: RouterContext, input: Input) => {
      const pending = answer(ctx, input as never);
      if (pending instanceof Promise) return pending.then(() => demandAnswer(ctx, route));
      return demandAnswer(ctx, route);
    };
    const answered: Handler = (ctx) => {
      const input = read(ctx);
      return input instanceof Promise ? input.then((late) => given(ctx, late)) : given(ctx, input);
    };
    return {
      route,
      handle(ctx) {
        const pending = guard(ctx, route);
        return pending === undefined ? answered(ctx) : pending.then(() => answered(ctx));
      },
    };
  });
}

/**
 * Checks that a handler has set an answer: the value that it returns is none, and Koa would send an undeclared 404.
 * @throws TypeError when the handler has set no answer
 */
function demandAnswer({ res, body, respond }: RouterContext, { method, path }: RouteDeclaration): void {
  const isSet = res.statusCode !== 404 || body !== undefined || res.headersSent || respond === false;
  // When the client has gone, no answer is needed.
  if (isSet || res.req.socket.destroyed) return;
  throw new TypeError(
    `The handler of ${method.toUpperCase()} ${path} has answered nothing; expected sendJson, or a body or a status of ctx`,
  );
}

function inputReader({ scope, params = {}, query = {}, body }: RouteDeclaration) {
  const checkNames = queryCheck(scope, Object.keys(query));
  const checked = Object.entries(params);
  const querySchema = schemaOf(query);
  const bodySchema = body?.['application/json']?.schema;
  return (ctx: RouterContext): Input | Promise<Input> => {
    checkNames?.(ctx);
    const found = checked.length === 0 ? ctx.params : { ...ctx.params };
    for (const [name, { schema, absent = 'There is nothing at this path' }] of checked) {
      if (!(schema instanceof z.ZodType)) continue;
      const parsed = schema.safeParse(found[name] ?? '');
      if (!parsed.success) throw new Failure('not_found', absent);
      found[name] = parsed.data as string;
    }
    const given = ctx.querystring === '' ? NO_QUERY : ctx.query;
    const asked = querySchema === undefined ? given : validate(querySchema, given);
    if (!(bodySchema instanceof z.ZodType)) return { params: found, query: asked, body: undefined };
    return readJson(ctx).then((value) => ({
      params: found,
      query: asked,
      body: validate(bodySchema, value),
    }));
  };
}

/** @returns the schema of the query string; undefined when no parameter has a zod schema */
function schemaOf(
  query: Readonly<Record<string, Parameter>>,
): z.ZodType<Readonly<Record<string, unknown>>> | undefined {
  const shape = Object.entries(query).map(([name, { schema }]) => [name, schema] as const);
  const checked = shape.filter((entry): entry is [string, z.ZodType] => entry[1] instanceof z.ZodType);
  return checked.length === 0 ? undefined : z.looseObject(Object.fromEntries(checked));
}
