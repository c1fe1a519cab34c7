import type { Context } from 'koa';
import type { Scope } from '../../platform/scope.ts';
import { invalidRequest } from './validate.ts';

const REFUSING: ReadonlySet<Scope> = new Set(['read', 'write']);

/**
 * @returns a function that refuses query parameters that a route does not declare, so that a typo is not ignored
 *   silently; undefined when the route's scope ignores them
 */
export function queryCheck(scope: Scope, names: readonly string[]): ((ctx: Context) => void) | undefined {
  if (!REFUSING.has(scope)) return undefined;
  const known = new Set(names);
  const message = names.length === 0 ? 'expected no query parameter' : `expected only ${names.join(', ')}`;
  return (ctx) => {
    if (ctx.querystring === '') return;
    const given = new Set(new URLSearchParams(ctx.querystring).keys());
    const unknown = [...given].filter((name) => !known.has(name));
    if (unknown.length > 0) throw invalidRequest(unknown.map((field) => ({ field, message })));
  };
}
