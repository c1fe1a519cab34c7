import type { Context } from 'koa';
import type { Caller, Guard, GuardContext } from '../contract/feature.ts';
import type { Access, RateClass } from '../contract/route.ts';
import { ClientAddresses } from '../limits/client-address.ts';
import { Failure } from '../platform/errors.ts';
import type { Scope } from '../platform/scope.ts';
import { CommitWatch } from '../sqlite/commit-watch.ts';
import { doorOf } from '../worker/doors.ts';
import { isOwnName, localRequests } from '../worker/middleware/local-requests.ts';
import { LastUse } from './last-use.ts';
import { type KeyQueries, type KeyRow, prepareQueries } from './queries.ts';
import type { KeyScope } from './schema.ts';
import { hashOf, isSame, parseToken } from './token.ts';
import { type VerifiedKey, VerifiedKeys } from './verified-keys.ts';

const BEARER = /^bearer +(\S+)$/i;
const REALM = 'Bearer realm="ninelives"';
/** The scopes of keys that open each kind of route; the least of them first. */
const OPENED_BY: Readonly<Record<Exclude<Scope, 'public'>, readonly [KeyScope, ...KeyScope[]]>> = {
  read: ['read', 'write', 'admin'],
  write: ['write', 'admin'],
  admin: ['admin'],
  metrics: ['metrics', 'admin'],
  operator: ['admin'],
};

/** What a session of the operator's page opens. */
const READ_BY_SESSIONS: ReadonlySet<Scope> = new Set(['metrics', 'operator']);
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Whoever calls while there are no keys; and who asks for what is public. */
const NOBODY: Caller = Object.freeze({ owner: '' });
const ANONYMOUS: Caller = Object.freeze({ owner: '', isAnonymous: true });
/** What no route takes. */
const UNMATCHED: Partial<Access> = {};

/**
 * Guards the routes by keys. A key is looked up on this process's own connection, and looked up anew as soon as anything was
 * committed, so that a revoked one ends at once in every worker.
 *
 * By OPS_LISTEN the operator's routes are reached without one where it is a socket of Unix, and where it is one of TCP by a
 * key alone. While there has never been a key, whoever is on this machine may do everything, and nobody else anything. With the
 * first key everybody needs one, on this machine too, also for what is for the operator: a proxy on this machine that adds
 * no header cannot be told from a person on it. From then on each request counts: for its key, or, without a valid one,
 * for the address that it comes from.
 */
export function createGuard(context: GuardContext): Guard {
  const { db, write, limit, config, log, onUnnamedProxies, isOpsSession } = context;
  const isLocal = localRequests(config);
  const queries = prepareQueries(db);
  const lookup: Lookup = { verified: new VerifiedKeys(db), queries };
  const firstKey = new CommitWatch(db);
  const lastUse = new LastUse((uses) => write('touch', { uses }), log);
  // Keys are revoked, never deleted: once there is one, it need not be asked again.
  let isKeyed = false;
  const limitKey = (ctx: Context, rate: RateClass | undefined, id: string) =>
    rate === 'none' ? undefined : limit(ctx, 'key', id);
  const addresses = new ClientAddresses(config, onUnnamedProxies);
  const limitAddress = (ctx: Context, rate: RateClass | undefined) =>
    rate === 'none'
      ? undefined
      : limit(ctx, rate === 'public' ? 'public' : 'address', addresses.countedOf(ctx.req));
  /** What needs no key: one that is not valid changes nothing. */
  const limitOpen = (ctx: Context, rate: RateClass | undefined) => {
    const key = ctx.req.headers.authorization === undefined ? undefined : keyOrNone(ctx, lookup);
    return key === undefined ? limitAddress(ctx, rate) : limitKey(ctx, rate, key.id);
  };

  return (ctx, access) => {
    const { scope, rate } = access ?? UNMATCHED;
    ctx.state.caller = scope === 'public' ? ANONYMOUS : NOBODY;
    if (scope === 'public' && rate === 'none') return;
    const door = doorOf(ctx.req);
    // Whoever could open that socket is the operator.
    if (door === 'ops-unix') return;
    if (door === 'ops-tcp' && !isOwnName(ctx.req.headers)) throw misdirected();
    addresses.note(ctx.req);
    // Each request while there are none: what is answered a moment after the first key must not be open.
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

/** Where keys are looked up: first among those that were verified, then in the database. */
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
  // Only to who has the secret.
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

/** A page that has its own name lead here sends that name. */
function misdirected(): Failure {
  return new Failure('forbidden', 'OPS_LISTEN answers to localhost and loopback addresses as Host alone');
}

/** Goes on at once where there is nothing to wait for: most requests then cost no turn of the event loop. */
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

/** @returns until when a secret is this key's, were it not to expire; undefined when it is not */
function secretEndOf(row: KeyRow, hash: Buffer, nowMs: number): number | undefined {
  if (isSame(hash, row.secretHash)) return Number.POSITIVE_INFINITY;
  const { oldSecretHash, oldSecretUntilMs } = row;
  const isOld = oldSecretHash !== null && nowMs < (oldSecretUntilMs ?? 0) && isSame(hash, oldSecretHash);
  return isOld ? oldSecretUntilMs! : undefined;
}

/** The challenge is RFC 6750 3's. @param error left out where no key was given, as it asks */
function unauthorized(message: string, error?: 'invalid_token'): Failure {
  const challenge = error === undefined ? REALM : `${REALM}, error="${error}"`;
  return new Failure('unauthorized', message, { headers: { 'WWW-Authenticate': challenge } });
}

function forbidden(scope: KeyScope, needed: KeyScope): Failure {
  return new Failure('forbidden', `This needs a key with the scope ${needed}, and yours has ${scope}`, {
    headers: { 'WWW-Authenticate': `${REALM}, error="insufficient_scope", scope="${needed}"` },
  });
}
