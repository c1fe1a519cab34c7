import { createHash, hash, webcrypto } from 'node:crypto';
import type { Context } from 'koa';
import { callerOf } from '../contract/feature.ts';
import type { Idempotency } from '../writer-client/protocol.ts';
import { invalidRequest } from './middleware/validate.ts';

const HEADER = 'Idempotency-Key';
/**
 * A string of RFC 9651 3.3.3, as draft-ietf-httpapi-idempotency-key-header has it; or bare, as many clients send it. Not
 * bare with a comma: that may be two headers in one.
 */
export const KEY_HEADER = /^(?:"((?:[ !#-[\]-~]|\\["\\]){1,255})"|([!#-+\--[\]-~]{1,255}))$/;

/** Raised by every change of what `fingerprint` takes in: outcomes of another version are not compared. */
const FINGERPRINT_VERSION = 2;
/** Deeper than any field that means something; what lies below does not tell requests apart. */
const DEPTH_MAX = 32;

/**
 * @returns what names this write of a request; undefined when the request has no Idempotency-Key
 * @throws Failure invalid_request for a malformed one
 */
export async function idempotencyOf(
  ctx: Context,
  blob: Buffer | undefined,
): Promise<Idempotency | undefined> {
  const header = ctx.req.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = parse(String(header));
  // A request that writes twice has two things to repeat, each by itself. A line feed stands in no key.
  const ordinal = ((ctx.state.idempotentWrites as number | undefined) ?? 0) + 1;
  ctx.state.idempotentWrites = ordinal;
  return {
    owner: keyOwnerOf(ctx),
    key: ordinal === 1 ? key : `${key}\n${ordinal}`,
    fingerprint: await fingerprint(ctx, blob),
  };
}

/**
 * Anonymous requests share keys only with those for the same path, lest anybody take the keys of others. The path may hold
 * a secret, so it is hashed; a line feed stands in no owner's name.
 */
function keyOwnerOf(ctx: Context): string {
  const { owner, isAnonymous } = callerOf(ctx);
  return isAnonymous ? `\n${hash('sha256', ctx.path, 'base64url')}` : owner;
}

function parse(header: string): string {
  const [, quoted, bare] = KEY_HEADER.exec(header) ?? [];
  const key = bare ?? quoted?.replace(/\\(.)/g, '$1');
  if (key !== undefined) return key;
  throw invalidRequest([
    { field: HEADER, message: 'expected 1 to 255 printable ASCII characters, in double quotes or bare' },
  ]);
}

/**
 * Of the request alone, so that neither a setting nor a release changes it; not of its bytes, since a client may write the
 * same JSON, or the same file with another boundary, in another way.
 */
async function fingerprint(ctx: Context, blob: Buffer | undefined): Promise<string> {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = ctx.req.headers;
  const sha256 = createHash('sha256');
  sha256.update(
    JSON.stringify([
      ctx.method,
      ctx.path,
      ctx.querystring,
      ifMatch ?? null,
      ifNoneMatch ?? null,
      sorted(ctx.state.json ?? null, DEPTH_MAX),
    ]),
  );
  // Off the event loop: it may be megabytes.
  if (blob) sha256.update(Buffer.from(await webcrypto.subtle.digest('SHA-256', blob as Buffer<ArrayBuffer>)));
  return `${FINGERPRINT_VERSION}.${sha256.digest('base64url')}`;
}

/** @returns a JSON value with the members of each object in the order of their names */
function sorted(value: unknown, depthMax: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depthMax === 0) return null;
  if (Array.isArray(value)) return value.map((item) => sorted(item, depthMax - 1));
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // As a list: an object would put members with the names of numbers first, whatever their order.
  return { members: members.map(([name, member]) => [name, sorted(member, depthMax - 1)]) };
}
