import { createHash, hash, webcrypto } from 'node:crypto';
import type { Context } from 'koa';
import { callerOf } from '../contract/feature.ts';
import type { Idempotency } from '../writer-client/protocol.ts';
import { invalidRequest } from './middleware/validate.ts';

const HEADER = 'Idempotency-Key';
/**
 * A string of RFC 9651 3.3.3, as draft-ietf-httpapi-idempotency-key-header defines the header; or a bare text, as many
 * clients send it. A bare text must have no comma: that may be two headers joined into one.
 */
export const KEY_HEADER = /^(?:"((?:[ !#-[\]-~]|\\["\\]){1,255})"|([!#-+\--[\]-~]{1,255}))$/;

/** Raise it with every change of what `fingerprint` covers: fingerprints of different versions are not compared. */
const FINGERPRINT_VERSION = 2;
/** Deeper than any field that has a meaning. Values below this depth are not part of the fingerprint. */
const DEPTH_MAX = 32;

/**
 * @returns the identity of this write of a request; undefined when the request has no Idempotency-Key
 * @throws Failure invalid_request for a malformed one
 */
export async function idempotencyOf(
  ctx: Context,
  blob: Buffer | undefined,
): Promise<Idempotency | undefined> {
  const header = ctx.req.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const key = parse(String(header));
  // A request that writes twice needs a key for each write. No key of a client contains a line feed.
  const ordinal = ((ctx.state.idempotentWrites as number | undefined) ?? 0) + 1;
  ctx.state.idempotentWrites = ordinal;
  return {
    owner: keyOwnerOf(ctx),
    key: ordinal === 1 ? key : `${key}\n${ordinal}`,
    fingerprint: await fingerprint(ctx, blob),
  };
}

/**
 * The keys of anonymous requests are separate for each path, so that nobody can use up the keys of others. The path may
 * hold a secret, so it is hashed. No owner's name contains a line feed.
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
 * Computed from the request alone, so that neither a setting nor a release changes it. Not from the bytes of the body:
 * a client may write the same JSON differently, or send the same file with another multipart boundary.
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
  // Hashed off the event loop: it may be megabytes.
  if (blob) sha256.update(Buffer.from(await webcrypto.subtle.digest('SHA-256', blob as Buffer<ArrayBuffer>)));
  return `${FINGERPRINT_VERSION}.${sha256.digest('base64url')}`;
}

/** @returns a JSON value with the members of each object in the order of their names */
function sorted(value: unknown, depthMax: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depthMax === 0) return null;
  if (Array.isArray(value)) return value.map((item) => sorted(item, depthMax - 1));
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  // A list, because an object would put members whose names are numbers first.
  return { members: members.map(([name, member]) => [name, sorted(member, depthMax - 1)]) };
}
