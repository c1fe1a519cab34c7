import { createHash, webcrypto } from 'node:crypto';
import type { RouterContext } from '@koa/router';
import type { Context } from 'koa';
import { callerOf } from '../feature.ts';
import type { Idempotency } from '../writer/protocol.ts';
import { invalidRequest } from './middleware/validate.ts';

const HEADER = 'Idempotency-Key';
/**
 * A string of RFC 9651 3.3.3, as draft-ietf-httpapi-idempotency-key-header has it; or bare, as many clients send it. Not
 * bare with a comma: that may be two headers in one.
 */
export const KEY_HEADER = /^(?:"((?:[ !#-[\]-~]|\\["\\]){1,255})"|([!#-+\--[\]-~]{1,255}))$/;

/**
 * @param name full name of the command
 * @returns what names this write of a request; undefined when the request has no Idempotency-Key
 * @throws Failure invalid_request for a malformed one
 */
export async function idempotencyOf(
  ctx: Context,
  name: string,
  input: unknown,
  blob: Buffer | undefined,
): Promise<Idempotency | undefined> {
  const header = ctx.req.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = parse(String(header));
  // A request that writes twice has two things to repeat, each by itself. A line feed stands in no key.
  const ordinal = ((ctx.state.idempotentWrites as number | undefined) ?? 0) + 1;
  ctx.state.idempotentWrites = ordinal;
  return {
    owner: callerOf(ctx).owner,
    key: ordinal === 1 ? key : `${key}\n${ordinal}`,
    fingerprint: await fingerprint(ctx, name, input, blob),
  };
}

function parse(header: string): string {
  const [, quoted, bare] = KEY_HEADER.exec(header) ?? [];
  const key = bare ?? quoted?.replace(/\\(.)/g, '$1');
  if (key !== undefined) return key;
  throw invalidRequest([
    { field: HEADER, message: 'expected 1 to 255 printable ASCII characters, in double quotes or bare' },
  ]);
}

/** Of what the route makes of the request, not of its bytes: a client may write the same JSON in another way. */
async function fingerprint(
  ctx: Context,
  name: string,
  input: unknown,
  blob: Buffer | undefined,
): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([ctx.method, (ctx as RouterContext)._matchedRoute, name, input]));
  // Off the event loop: it may be megabytes.
  if (blob) hash.update(Buffer.from(await webcrypto.subtle.digest('SHA-256', blob as Buffer<ArrayBuffer>)));
  return hash.digest('base64url');
}
