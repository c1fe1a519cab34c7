import type { Code } from '../../platform/errors.ts';
import { Failure, type FieldError } from '../../platform/errors.ts';
import { isDamage } from '../../sqlite/damage.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/**
 * An error's body: RFC 9457 with three members of our own. `type` is a URN, not a URL, because it names the
 * problem and promises no page behind it; `code` is the same name for those who would rather not parse one.
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
 * Turns whatever was thrown into the one error type. What is not ours becomes `internal`: its message may hold
 * anything, so it stays in the cause, for the log.
 */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (isDamage(thrown)) {
    return new Failure('storage_corrupt', 'The data cannot be read', { cause: thrown });
  }
  return new Failure('internal', 'Something went wrong on our side', { cause: thrown });
}

/** @returns the body that tells a client of `failure`; `requestId` is left out where there was no request yet. */
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
