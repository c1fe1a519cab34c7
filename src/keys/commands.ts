import type { z } from 'zod';
import { type Commands, defineCommand } from '../contract/command.ts';
import { Failure } from '../platform/errors.ts';
import { NO_OWNER, newKey, revocation, rotation, uses } from './schema.ts';

const LIVE_KEY = '(id = @key OR name = @key) AND revoked_at_ms IS NULL';

/** The key that a command has changed. */
interface Named {
  readonly id: string;
  readonly name: string;
}

const create = defineCommand({
  input: newKey,
  prepare(db) {
    const nameIsTaken = db
      .prepare<[string], 1>('SELECT 1 FROM keys WHERE name = ? AND revoked_at_ms IS NULL')
      .pluck();
    const insert = db.prepare(`
      INSERT INTO keys (id, name, owner, scope, limited_to, secret_hash, created_at_ms, expires_at_ms)
      VALUES (@id, @name, @owner, @scope, @limitedTo, unhex(@secretHash), @nowMs, @expiresAtMs)`);
    return (input, { nowMs }) => {
      if (nameIsTaken.get(input.name)) {
        throw new Failure('invalid_request', `There is a key with the name ${input.name}`, {
          errors: [{ field: 'name', message: 'expected a name of no other key' }],
        });
      }
      const stored =
        input.scope === 'metrics'
          ? { owner: NO_OWNER, scope: 'read', limitedTo: 'metrics' }
          : { limitedTo: null };
      insert.run({ ...input, ...stored, nowMs });
      return {};
    };
  },
});

/** Revokes a key, at once and for good; Failure not_found when there is none. */
const revoke = defineCommand({
  input: revocation,
  prepare(db) {
    const update = db.prepare<[{ key: string; nowMs: number }], Named>(
      `UPDATE keys SET revoked_at_ms = @nowMs WHERE ${LIVE_KEY} RETURNING id, name`,
    );
    return ({ key }, { nowMs }) => update.get({ key, nowMs }) ?? refuse(key);
  },
});

/**
 * Gives a key a new secret. Failure not_found when there is no such key; invalid_request when the key has expired and
 * gets no new expiry, or when an older secret is still in its grace time, which only `force` ends.
 */
const rotate = defineCommand({
  input: rotation,
  prepare(db) {
    const find = db.prepare<{ key: string }, { oldSecretUntilMs: number | null; expiresAtMs: number | null }>(
      `SELECT old_secret_until_ms AS oldSecretUntilMs, expires_at_ms AS expiresAtMs FROM keys WHERE ${LIVE_KEY}`,
    );
    const update = db.prepare<
      [Omit<z.infer<typeof rotation>, 'force'> & { nowMs: number; keepsExpiry: number }],
      Named
    >(`
      UPDATE keys SET
        old_secret_hash = secret_hash,
        old_secret_until_ms = @nowMs + @graceMs,
        secret_hash = unhex(@secretHash),
        rotated_at_ms = @nowMs,
        expires_at_ms = iif(@keepsExpiry, expires_at_ms, @expiresAtMs)
      WHERE ${LIVE_KEY} RETURNING id, name`);
    return ({ force = false, ...input }, { nowMs }) => {
      const { key, expiresAtMs } = input;
      const found = find.get({ key });
      if (found === undefined) return refuse(key);
      if (expiresAtMs === undefined && found.expiresAtMs !== null && found.expiresAtMs <= nowMs) {
        throw refusedRotation(
          `The key ${key} expired at ${timeOf(found.expiresAtMs)}: its new secret needs --expires, a time to come`,
        );
      }
      if (!force && found.oldSecretUntilMs !== null && found.oldSecretUntilMs > nowMs) {
        throw refusedRotation(
          `The secret before the last rotation of ${key} is taken until ${timeOf(found.oldSecretUntilMs)}, and would end now: wait for that, or end it with --force`,
        );
      }
      const keepsExpiry = Number(expiresAtMs === undefined);
      return (
        update.get({ ...input, expiresAtMs: expiresAtMs ?? null, keepsExpiry, nowMs }) ?? refuse(input.key)
      );
    };
  },
});

/** Records when keys were last used. */
const touch = defineCommand({
  input: uses,
  prepare(db) {
    const update = db.prepare<[number, string]>(
      'UPDATE keys SET last_used_at_ms = max(coalesce(last_used_at_ms, 0), ?) WHERE id = ?',
    );
    return (input) => {
      for (const { id, atMs } of input.uses) update.run(atMs, id);
      return {};
    };
  },
});

export const commands = { create, revoke, rotate, touch } satisfies Commands;

function refusedRotation(message: string): Failure {
  return new Failure('invalid_request', message, { errors: [{ field: 'key', message }] });
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}

function refuse(key: string): never {
  throw new Failure('not_found', `There is no key ${key}, or it is revoked`);
}
