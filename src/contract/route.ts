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
 * Which rate limit a request counts against. `caller`: that of its key, or without a key that of its address. `public`:
 * a separate limit of its address, so that public pages still work when the other limit is used up. `none`: no limit,
 * for health probes.
 */
export type RateClass = 'caller' | 'public' | 'none';

/** Who may use a route, and which limit a request counts against. Every route states both, also a public one. */
export interface Access {
  readonly scope: Scope;
  readonly rate: RateClass;
}

/** One parameter of a path, a query string, or a header. */
export interface Parameter {
  /** A zod schema validates a path or query parameter; handlers read headers. A JSON Schema only documents it. */
  readonly schema: z.ZodType | JsonSchema;
  /** Replaces `schema` in the API's description: digits in a query string should be a number in generated clients. */
  readonly told?: JsonSchema;
  readonly description: string;
  readonly example?: string | number;
  readonly required?: boolean;
}

/** One parameter of a path. A value that does not fit its schema is answered with 404. */
export interface PathParameter extends Parameter {
  /** The message of that 404. */
  readonly absent?: string;
}

/** A body, by its media types. A body without a schema is bytes. */
export type Content = Readonly<
  Record<string, { readonly schema?: z.ZodType | JsonSchema; readonly example?: unknown }>
>;

/** One answer of a route: a success, or an error whose body is not a problem document. */
export interface Answer {
  readonly description: string;
  readonly content?: Content;
  /** Descriptions of the headers, without those that every answer has. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The declaration of a route, which needs no database. Requests are validated by it, the API's description is made from
 * it, and tests compare answers with it. The chassis adds what many routes have in common: see `common.ts` of the API's
 * description.
 */
export interface RouteDeclaration extends Access {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** A pattern of @koa/router: `/things/:id`. */
  readonly path: string;
  /** The operation's id, unique in the API. Generated clients name their methods after it. */
  readonly id: string;
  readonly summary: string;
  readonly detail?: string;
  /** Parameters of the path, by name; all of them must be declared. */
  readonly params?: Readonly<Record<string, PathParameter>>;
  /**
   * Parameters of the query string. In the scopes `read` and `write` an undeclared one is refused with 422. In other
   * scopes it is ignored, since mail programs and proxies add parameters to links.
   */
  readonly query?: Readonly<Record<string, Parameter>>;
  readonly headers?: Readonly<Record<string, Parameter>>;
  /** The request body. `application/json` is read and validated before the handler; the handler reads other types. */
  readonly body?: Content;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Error codes that this route may answer, in addition to those of all routes of its kind. */
  readonly errors?: readonly Code[];
}

/** A route without its specific types. */
export interface Route<RouteNeeds = never> extends RouteDeclaration {
  /** Called once in each process: prepare statements here, and return the handler, which may be asynchronous. */
  readonly prepare: (context: RouteNeeds) => (ctx: RouterContext, input: never) => unknown;
}

/** What a feature's routes get. */
export interface RouteContext<Own extends Commands = Commands> {
  /** Read-only connection to the feature's database. */
  readonly db: Database;
  readonly write: Write<Own>;
  readonly config: AppConfig;
  /** The app's secrets with `worker` in `takenBy`. */
  readonly secrets: AppSecrets;
  readonly observe: Observe;
  readonly log: Logger;
}

type Parameters = Readonly<Record<string, Parameter>>;
type Valid<Schema> = Schema extends z.ZodType<infer Value> ? Value : string;

/** The validated parts of a request, as its handler gets them. */
export interface RouteInput<Params extends Parameters, Query extends Parameters, Body extends Content> {
  readonly params: { readonly [Name in keyof Params]: Valid<Params[Name]['schema']> };
  readonly query: { readonly [Name in keyof Query]: Valid<Query[Name]['schema']> };
  readonly body: Body extends { readonly 'application/json': { readonly schema: z.ZodType<infer Value> } }
    ? Value
    : undefined;
}

/** A route as `defineRoute` takes it: `prepare` returns the handler, which gets the request and its validated input. */
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
 * @returns a function that defines routes whose `prepare` gets `RouteNeeds`, with their types checked:
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

/** @returns `route` unchanged, with its types checked; for routes that write nothing. For others, see `routesWith`. */
export const defineRoute = routesWith<RouteContext<Record<never, never>>>();
