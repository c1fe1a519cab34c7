import type { z } from 'zod';
import type { Code } from '../../errors.ts';
import type { Scope } from '../../scope.ts';

/** A JSON Schema, for what zod cannot say. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One parameter of a path, a query string, or a header. */
export interface ParameterDescription {
  /** The schema that validates it. */
  readonly schema: z.ZodType | JsonSchema;
  readonly description: string;
  readonly example?: string | number;
  readonly required?: boolean;
}

/** A body by its media types. Without a schema it is bytes. */
export type ContentDescription = Readonly<
  Record<string, { readonly schema?: z.ZodType | JsonSchema; readonly example?: unknown }>
>;

/** One answer of a route that is no error, or an error whose body is no problem document. */
export interface AnswerDescription {
  readonly description: string;
  readonly content?: ContentDescription;
  /** What the headers beyond the common ones mean. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * What clients are told of one route. What holds for many routes alike is added by the chassis: see `common.ts`.
 */
export interface RouteDescription {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** As it is registered: `/things/:id`. */
  readonly path: string;
  readonly scope: Scope;
  /** A name for it that is unique in the API: generated clients call their methods so. */
  readonly id: string;
  readonly summary: string;
  readonly detail?: string;
  /** By name; each of the path must be there. */
  readonly params?: Readonly<Record<string, ParameterDescription>>;
  readonly query?: Readonly<Record<string, ParameterDescription>>;
  readonly headers?: Readonly<Record<string, ParameterDescription>>;
  readonly body?: ContentDescription;
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  /** The codes that the route itself may answer. */
  readonly errors?: readonly Code[];
}
