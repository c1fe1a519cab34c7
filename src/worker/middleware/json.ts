import { isUtf8 } from 'node:buffer';
import type { ParameterizedContext } from 'koa';
import { Failure } from '../../platform/errors.ts';
import { readBody, refuseEncoded } from './body.ts';

const LIMIT_BYTES = 64 * 1024;
/** `application/json` or any type with the suffix of RFC 6839, then perhaps parameters. */
const JSON_TYPE = /^application\/(?:[\w!#$&^.+-]+\+)?json[\t ]*(?:;|$)/i;
/** RFC 8259 8.1 knows no other charset. */
const OTHER_CHARSET = /;[\t ]*charset=(?!"?utf-8"?[\t ]*(?:;|$))/i;

/**
 * Reads a body of at most 64 KiB as JSON. Its shape is not checked: that is the schema's work.
 * @throws Failure unsupported_media_type, too_large, malformed_json (also for an empty body and for bytes that
 *   are not UTF-8), malformed_request when the client stops half-way
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
  // Decoding would replace what is not UTF-8 instead of refusing it.
  if (!isUtf8(bytes)) throw new Failure('malformed_json', 'The body is not valid UTF-8');
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    // For the fingerprint of a request that may be sent again.
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
  // Not by way of `ctx`, whose properties are computed names that V8 cannot cache.
  const { response } = ctx;
  response.status = status;
  // Before the body, which would otherwise guess. RFC 8259 11: application/json has no charset parameter.
  ctx.res.setHeader('Content-Type', 'application/json');
  response.body = JSON.stringify(value);
}
