import { isUtf8 } from 'node:buffer';
import type { ParameterizedContext } from 'koa';
import { Failure } from '../../platform/errors.ts';
import { readBody, refuseEncoded } from './body.ts';

const LIMIT_BYTES = 64 * 1024;
/** `application/json` or any type with the suffix `+json` (RFC 6839), with or without parameters. */
const JSON_TYPE = /^application\/(?:[\w!#$&^.+-]+\+)?json[\t ]*(?:;|$)/i;
/** RFC 8259 8.1 knows no other charset. */
const OTHER_CHARSET = /;[\t ]*charset=(?!"?utf-8"?[\t ]*(?:;|$))/i;

/**
 * Reads a body of at most 64 KiB as JSON. Its shape is not checked: that is the task of a schema.
 * @throws Failure unsupported_media_type, too_large, malformed_json (also for an empty body and for bytes that
 *   are not UTF-8), malformed_request when the body ends before it is complete
 */
export async function readJson(ctx: ParameterizedContext): Promise<unknown> {
  const type = ctx.req.headers['content-type'] ?? '';
  if (!JSON_TYPE.test(type) || OTHER_CHARSET.test(type)) {
    throw new Failure('unsupported_media_type', 'The body must be application/json in UTF-8', {
      headers: { Accept: 'application/json' },
    });
  }
  refuseEncoded(ctx.req);
  const bytes = await readBody(ctx.req, { limitBytes: LIMIT_BYTES });
  if (bytes.length === 0) throw new Failure('malformed_json', 'The body is empty');
  // Decoding would replace invalid UTF-8, not refuse it.
  if (!isUtf8(bytes)) throw new Failure('malformed_json', 'The body is not valid UTF-8');
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    // Kept for the fingerprint of a request with an Idempotency-Key.
    ctx.state.json = value;
    return value;
  } catch (cause) {
    throw new Failure('malformed_json', 'The body is not valid JSON', { cause });
  }
}

/**
 * Answers with JSON, serialised once.
 * @param value a value that JSON can hold
 */
export function sendJson(ctx: ParameterizedContext, status: number, value: unknown): void {
  // Not through `ctx`: its properties are delegated by computed names, which V8 cannot cache.
  const { response } = ctx;
  response.status = status;
  // Set before the body, whose setter would otherwise guess. RFC 8259 11: application/json has no charset parameter.
  ctx.res.setHeader('Content-Type', 'application/json');
  response.body = JSON.stringify(value);
}
