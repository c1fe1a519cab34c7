import { randomUUID } from 'node:crypto';

/** What a caller may choose: safe in a header, in a log line and in a shell. */
const ACCEPTED = /^[\w.-]{1,64}$/;

/**
 * @param given the request's X-Request-Id, if it has one
 * @returns `given` when it is well formed, otherwise a new random id: a counter would tell clients how much others ask
 */
export function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && ACCEPTED.test(given) ? given : randomUUID();
}
