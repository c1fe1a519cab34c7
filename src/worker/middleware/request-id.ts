import { randomBytes } from 'node:crypto';

/** What a caller may choose: safe in a header, in a log line and in a shell. */
const ACCEPTED = /^[\w.-]{1,64}$/;

/** Random once a process and counted from there: unique without random bytes for every request. */
const PREFIX = randomBytes(9).toString('base64url');
let count = 0;

/**
 * @param given the request's X-Request-Id, if it has one
 * @returns `given` when it is well formed, else a new id
 */
export function requestId(given: string | string[] | undefined): string {
  if (typeof given === 'string' && ACCEPTED.test(given)) return given;
  count += 1;
  return `${PREFIX}.${count}`;
}
