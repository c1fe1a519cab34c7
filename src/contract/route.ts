import type { RouterContext } from '@koa/router';
import type { Database } from 'better-sqlite3';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { Observe } from '../metrics/app-metrics.ts';
import type { Code } from '../platform/errors.ts';
import type { Scope } from '../platform/scope.ts';
import type { Commands, Write } from './command.ts';
import type { AppConfig, AppSecrets } from './settings.ts';

/** A JSON Schema, for what zod cannot say. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * What a request counts for: `caller`, the key that it was sent with, or else its address; `public`, its address, apart, so
 * that pages for everybody are not lost with the other; `none`, nothing: for who asks whether the system lives.
 */
export type RateClass = 'caller' | 'public' | 'none';

/** Who may take a route, and what that counts for. Each route says both: what is open says so. */
export interface Access {
  readonly scope: Scope;
  readonly rate: RateClass;
}

/** One parameter of a path, a query string, or a header. */
export interface Parameter {
  /** Validates it, in a path and in a query string; headers are the handler's to read. A JSON Schema only tells. */
  readonly schema: z.ZodType | JsonSchema;
  /** What clients are told in place of `schema`: digits in a query string are a number to who generates code from it. */
  readonly told?: JsonSchema;
  readonly description: string;
  readonly example?: string | number;
  readonly required?: boolean;
}

/** One parameter of a path. What does not fit its schema names nothing: 404. */
export interface PathParameter extends Parameter {
  /** What the 404 then says. */
  readonly absent?: string;
}

/** A body by its media types. Without a schema it is bytes. */
export type Content = Readonly<
  Record<string, { readonly schema?: z.ZodType | JsonSchema; readonly example?: unknown }>
>;

/** One answer of a route that is no error, or an error whose body is no problem document. */
export interface Answer {
  readonly description: string;
  readonly content?: Content;
  /** What the headers beyond the common ones mean. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * What there is to know of a route before there is a database: by it requests are checked, clients are told, and tests hold
 * answers. What holds for many routes alike is added by the chassis: see `common.ts` of the API's description.
 */
export interface RouteDeclaration extends Access {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** A pattern of @koa/router: `/things/:id`. */
  readonly path: string;
  /** A name for it that is unique in the API: generated clients call their methods so. */
  readonly id: string;
  readonly summary: string;
  readonly detail?: string;
  /** By name; each of the path must be there. */
  readonly params?: Readonly<Record<string, PathParameter>>;
  /**
   * Of the scopes read and write others are refused with 422; the others ignore what they do not know, since mail programs
   * and proxies add to links.
   */
  readonly query?: Readonly<Record<string, Parameter>>;
  readonly headers?: Readonly<Record<string, Parameter>>;
  /** One of `application/json` is read and validated before the handler; others it reads itself. */
  readonly body?: Content;
  readonly answers: Readonly<Record<number, Answer>>;
  /** The codes that the route itself may answer. */
  readonly errors?: readonly Code[];
}

/** A route whose types nobody knows any more. */
export interface Route<RouteNeeds = never> extends RouteDeclaration {
  /** Called once a process: prepare statements here, return what answers one request, synchronously or not. */
  readonly prepare: (context: RouteNeeds) => (ctx: RouterContext, input: never) => unknown;
}

/** What a feature's routes get. */
export interface RouteContext<Own extends Commands = Commands> {
  /** Read-only connection to the feature's database. */
  readonly db: Database;
  readonly write: Write<Own>;
  readonly config: AppConfig;
  /** Those of the app that name `worker` among their takers. */
  readonly secrets: AppSecrets;
  readonly observe: Observe;
  readonly log: Logger;
}

type Parameters = Readonly<Record<string, Parameter>>;
type Valid<Schema> = Schema extends z.ZodType<infer Value> ? Value : string;

/** What of a request has been validated when its handler is called. */
export interface RouteInput<Params extends Parameters, Query extends Parameters, Body extends Content> {
  readonly params: { readonly [Name in keyof Params]: Valid<Params[Name]['schema']> };
  readonly query: { readonly [Name in keyof Query]: Valid<Query[Name]['schema']> };
  readonly body: Body extends { readonly 'application/json': { readonly schema: z.ZodType<infer Value> } }
    ? Value
    : undefined;
}

/** A route as `defineRoute` takes it: `prepare` returns what gets the request and its validated input. */
export interface TypedRoute<
  RouteNeeds,
  Params extends Parameters,
  Query extends Parameters,
  Body extends Content,
> extends RouteDeclaration {
  readonly params?: Params & Readonly<Record<string, PathParameter>>;
  readonly query?: Query;
  readonly body?: Body;
  readonly prepare: (
    context: RouteNeeds,
  ) => (ctx: RouterContext, input: RouteInput<Params, Query, Body>) => unknown;
}

/**
 * @returns what defines routes that get `RouteNeeds`, with their types checked:
 *   `const defineRoute = routesWith<RouteContext<typeof commands>>();`
 */
export function routesWith<RouteNeeds>() {
  return <
    const Params extends Parameters = Record<never, never>,
    const Query extends Parameters = Record<never, never>,
    const Body extends Content = Record<never, never>,
  >(
    route: TypedRoute<RouteNeeds, Params, Query, Body>,
  ): Route<RouteNeeds> => route;
}

/** @returns `route`, of a feature whose routes write nothing, with its types checked; see `routesWith` for others */
export const defineRoute = routesWith<RouteContext<Record<never, never>>>();
