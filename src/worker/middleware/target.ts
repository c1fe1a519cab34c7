import { Failure } from '../../platform/errors.ts';

/** Longer than any path and query of ours. */
export const TARGET_MAX_CHARS = 8192;

const TOO_LONG = new RegExp(`^[A-Z]+ \\S{${TARGET_MAX_CHARS}}`);

/** @returns the refusal of a request target that is too long */
export function uriTooLong(): Failure {
  return new Failure('uri_too_long', `The URL may have at most ${TARGET_MAX_CHARS} characters`);
}

/** @returns whether bytes that the parser has refused begin with a request line whose target is too long */
export function beginsTooLong(bytes: Buffer | undefined): boolean {
  return bytes !== undefined && TOO_LONG.test(bytes.toString('latin1', 0, TARGET_MAX_CHARS + 32));
}
