import type { Code } from '../../platform/errors.ts';
import { Failure, type FieldError } from '../../platform/errors.ts';
import { isDamage } from '../../sqlite/damage.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/**
 * The body of an error: RFC 9457 with three members of our own. `type` is a URN, not a URL, because it names the
 * problem and promises no page. `code` is the same name, for clients that do not want to parse a URN.
 */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: Code;
  readonly request_id?: string;
  readonly errors?: readonly FieldError[];
}

/**
 * Turns any thrown value into a Failure. A foreign error becomes `internal`: its message may contain anything, so it
 * goes only into the cause, for the log. A damaged database becomes `storage_corrupt`.
 */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (isDamage(thrown)) {
    return new Failure('storage_corrupt', 'The data cannot be read', { cause: thrown });
  }
  return new Failure('internal', 'Something went wrong on our side', { cause: thrown });
}

/** @returns the body that describes `failure` to a client; `requestId` is left out when there was no request yet. */
export function problemOf(failure: Failure, requestId?: string): Problem {
  const { title, httpStatus } = failure.meaning;
  return {
    type: `urn:ninelives:problem:${failure.code}`,
    title,
    status: httpStatus,
    detail: failure.message,
    code: failure.code,
    ...(requestId !== undefined && { request_id: requestId }),
    ...(failure.options.errors !== undefined && { errors: failure.options.errors }),
  };
}

/** @returns the headers that belong to `failure`, without those of its body. */
export function problemHeaders(failure: Failure): Record<string, string> {
  const { headers, retryAfterSeconds } = failure.options;
  return {
    ...headers,
    // Retry-After is whole seconds: RFC 9110 10.2.3.
    ...(retryAfterSeconds !== undefined && { 'Retry-After': String(Math.ceil(retryAfterSeconds)) }),
  };
}
