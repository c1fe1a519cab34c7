import type { Context } from 'koa';
import { ClientAddresses } from '../callers/client-address.ts';
import { doorOf } from '../callers/doors.ts';
import { isOwnName, localRequests, misdirected } from '../callers/local-requests.ts';
import type { Caller, Guard, GuardContext } from '../contract/feature.ts';
import type { Access, RateClass } from '../contract/route.ts';
import { Failure } from '../platform/errors.ts';
import type { Scope } from '../platform/scope.ts';
import { CommitWatch } from '../sqlite/commit-watch.ts';
import { LastUse } from './last-use.ts';
import { type KeyQueries, type KeyRow, prepareQueries } from './queries.ts';
import type { KeyScope } from './schema.ts';
import { hashOf, isSame, parseToken } from './token.ts';
import { type VerifiedKey, VerifiedKeys } from './verified-keys.ts';

const BEARER = /^bearer +(\S+)$/i;
const REALM = 'Bearer realm="ninelives"';
/** The scopes of keys that open each kind of route; the weakest first. */
const OPENED_BY: Readonly<Record<Exclude<Scope, 'public'>, readonly [KeyScope, ...KeyScope[]]>> = {
  read: ['read', 'write', 'admin'],
  write: ['write', 'admin'],
  admin: ['admin'],
  metrics: ['metrics', 'admin'],
  operator: ['admin'],
};

/** The kinds of route that a session of the operator's page opens. */
const READ_BY_SESSIONS: ReadonlySet<Scope> = new Set(['metrics', 'operator']);
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** The caller while there are no keys; and the caller of a public route. */
const NOBODY: Caller = Object.freeze({ owner: '' });
const ANONYMOUS: Caller = Object.freeze({ owner: '', isAnonymous: true });
/** The access of a request that no route takes. */
const UNMATCHED: Partial<Access> = {};

/**
 * Guards the routes by keys. A key is looked up on this process's own connection, and again as soon as anything was
 * committed, so that a revoked key stops working in every worker at once.
 *
 * - OPS_LISTEN as a Unix socket: the operator's routes need no key. As a TCP socket: they need a key or a session.
 * - While there has never been a key: callers on this machine may do everything, and nobody else anything.
 * - From the first key on: everybody needs a key, also on this machine and for the operator's routes, because a proxy
 *   on this machine that adds no header cannot be told from a person on it.
 *
 * From the first key on each request also counts against a limit: that of its key, or, without a valid key, that of the
 * address from which it comes.
 */
export function createGuard(context: GuardContext): Guard {
  const { db, write, limit, config, log, onUnnamedProxies, isOpsSession } = context;
  const isLocal = localRequests(config);
  const queries = prepareQueries(db);
  const lookup: Lookup = { verified: new VerifiedKeys(db), queries };
  const firstKey = new CommitWatch(db);
  const lastUse = new LastUse((uses) => write('touch', { uses }), log);
  // Keys are revoked, never deleted: once there is a key, the check need not be repeated.
  let isKeyed = false;
  const limitKey = (ctx: Context, rate: RateClass | undefined, id: string) =>
    rate === 'none' ? undefined : limit(ctx, 'key', id);
  const addresses = new ClientAddresses(config, onUnnamedProxies);
  const limitAddress = (ctx: Context, rate: RateClass | undefined) =>
    rate === 'none'
      ? undefined
      : limit(ctx, rate === 'public' ? 'public' : 'address', addresses.countedOf(ctx.req));
  /** For routes that need no key: an invalid key is treated as none. */
  const limitOpen = (ctx: Context, rate: RateClass | undefined) => {
    const key = ctx.req.headers.authorization === undefined ? undefined : keyOrNone(ctx, lookup);
    return key === undefined ? limitAddress(ctx, rate) : limitKey(ctx, rate, key.id);
  };

  return (ctx, access) => {
    const { scope, rate } = access ?? UNMATCHED;
    ctx.state.caller = scope === 'public' ? ANONYMOUS : NOBODY;
    if (scope === 'public' && rate === 'none') return;
    const door = doorOf(ctx.req);
    // Only the operator can open that socket.
    if (door === 'ops-unix') return;
    if (door === 'ops-tcp' && !isOwnName(ctx.req.headers)) throw misdirected();
    addresses.note(ctx.req);
    // Checked at each request until there is a key: right after the first key is committed, nothing may be open.
    isKeyed ||= firstKey.mayHaveChanged() && queries.any();
    if (scope === 'public' || scope === undefined) return isKeyed ? limitOpen(ctx, rate) : undefined;
    if (!isKeyed && door === undefined && isLocal(ctx.req)) return;
    if (READ_BY_SESSIONS.has(scope) && READS.has(ctx.method) && isOpsSession(bearerOf(ctx) ?? '')) return;
    const nowMs = Date.now();
    let key: VerifiedKey;
    try {
      key = keyOf(ctx, lookup, isKeyed || door !== undefined, nowMs);
    } catch (failure) {
      return isKeyed ? after(limitAddress(ctx, rate), () => refuse(failure)) : refuse(failure);
    }
    lastUse.note(key.id, key.lastUsedAtMs, nowMs);
    ctx.state.caller = key.caller;
    const pending = limitKey(ctx, rate, key.id);
    if (pending !== undefined) return pending.then(() => requireScope(key, scope));
    requireScope(key, scope);
  };
}

/** Where keys are looked up: first among the verified ones, then in the database. */
interface Lookup {
  readonly verified: VerifiedKeys;
  readonly queries: KeyQueries;
}

function bearerOf(ctx: Context): string | undefined {
  return BEARER.exec(ctx.req.headers.authorization ?? '')?.[1];
}

/** @throws Failure unauthorized */
function keyOf(ctx: Context, { verified, queries }: Lookup, isKeyed: boolean, nowMs: number): VerifiedKey {
  const { authorization } = ctx.req.headers;
  if (authorization === undefined) {
    throw unauthorized(
      isKeyed
        ? 'This needs a key: Authorization: Bearer nl_…'
        : 'There are no keys yet, so only this machine itself is served: as localhost, through no proxy, and to no page of another site',
    );
  }
  const known = verified.find(authorization, nowMs);
  if (known !== undefined) return known;
  const token = parseToken(bearerOf(ctx) ?? '');
  if (token === undefined) throw unauthorized('This is no key, or it is not whole', 'invalid_token');
  const row = queries.find(token.id);
  const secretUntilMs = row === undefined ? undefined : secretEndOf(row, hashOf(token.secret), nowMs);
  if (row === undefined || secretUntilMs === undefined) {
    throw unauthorized('This key is not known', 'invalid_token');
  }
  // Said only to a caller who has the secret.
  if (row.revokedAtMs !== null) throw unauthorized('This key is revoked', 'invalid_token');
  if (row.expiresAtMs !== null && row.expiresAtMs <= nowMs) {
    throw unauthorized('This key has expired', 'invalid_token');
  }
  const key: VerifiedKey = {
    id: token.id,
    caller: Object.freeze({ owner: row.owner, keyId: token.id }),
    scope: row.scope,
    lastUsedAtMs: row.lastUsedAtMs,
    untilMs: Math.min(secretUntilMs, row.expiresAtMs ?? Number.POSITIVE_INFINITY),
  };
  verified.remember(authorization, key);
  return key;
}

function keyOrNone(ctx: Context, lookup: Lookup): VerifiedKey | undefined {
  try {
    return keyOf(ctx, lookup, true, Date.now());
  } catch (failure) {
    if (failure instanceof Failure) return undefined;
    throw failure;
  }
}

/** Calls `next` at once when nothing is pending, so that most requests cost no turn of the event loop. */
function after(pending: void | Promise<void>, next: () => void): void | Promise<void> {
  if (pending === undefined) next();
  else return pending.then(next);
}

function refuse(failure: unknown): never {
  throw failure;
}

/** @throws Failure forbidden */
function requireScope({ scope }: VerifiedKey, asked: Exclude<Scope, 'public'>): void {
  if (!OPENED_BY[asked].includes(scope)) throw forbidden(scope, OPENED_BY[asked][0]);
}

/** @returns until when the secret belongs to this key, apart from the key's expiry; undefined when it does not */
function secretEndOf(row: KeyRow, hash: Buffer, nowMs: number): number | undefined {
  if (isSame(hash, row.secretHash)) return Number.POSITIVE_INFINITY;
  const { oldSecretHash, oldSecretUntilMs } = row;
  const isOld = oldSecretHash !== null && nowMs < (oldSecretUntilMs ?? 0) && isSame(hash, oldSecretHash);
  return isOld ? oldSecretUntilMs! : undefined;
}

/** The challenge follows RFC 6750 3. @param error left out when no key was given, as the RFC demands */
function unauthorized(message: string, error?: 'invalid_token'): Failure {
  const challenge = error === undefined ? REALM : `${REALM}, error="${error}"`;
  return new Failure('unauthorized', message, { headers: { 'WWW-Authenticate': challenge } });
}

function forbidden(scope: KeyScope, needed: KeyScope): Failure {
  return new Failure('forbidden', `This needs a key with the scope ${needed}, and yours has ${scope}`, {
    headers: { 'WWW-Authenticate': `${REALM}, error="insufficient_scope", scope="${needed}"` },
  });
}
