import type { Database } from 'better-sqlite3';
import type { KeyScope } from './schema.ts';

/** What the guard has to know of a key. */
export interface KeyRow {
  readonly owner: string;
  readonly scope: KeyScope;
  readonly secretHash: Buffer;
  readonly oldSecretHash: Buffer | null;
  readonly oldSecretUntilMs: number | null;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  readonly lastUsedAtMs: number | null;
}

/** What is shown of a key. */
export interface ListedKey
  extends Pick<KeyRow, 'owner' | 'scope' | 'expiresAtMs' | 'revokedAtMs' | 'lastUsedAtMs'> {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly rotatedAtMs: number | null;
}

export interface KeyQueries {
  readonly find: (id: string) => KeyRow | undefined;
  /** Whether there ever was a key. */
  readonly any: () => boolean;
  /** All keys, the oldest first. */
  readonly list: () => ListedKey[];
}

/** Prepares the reads once for a connection. */
export function prepareQueries(db: Database): KeyQueries {
  const find = db.prepare<[string], KeyRow>(`
    SELECT owner, coalesce(limited_to, scope) AS scope, secret_hash AS secretHash, old_secret_hash AS oldSecretHash,
      old_secret_until_ms AS oldSecretUntilMs, expires_at_ms AS expiresAtMs, revoked_at_ms AS revokedAtMs,
      last_used_at_ms AS lastUsedAtMs
    FROM keys WHERE id = ?`);
  const any = db.prepare<[], 1>('SELECT 1 FROM keys LIMIT 1').pluck();
  const list = db.prepare<[], ListedKey>(`
    SELECT id, name, owner, coalesce(limited_to, scope) AS scope, created_at_ms AS createdAtMs, expires_at_ms AS expiresAtMs,
      rotated_at_ms AS rotatedAtMs, revoked_at_ms AS revokedAtMs, last_used_at_ms AS lastUsedAtMs
    FROM keys ORDER BY created_at_ms, id`);
  return {
    find: (id) => find.get(id),
    any: () => any.get() !== undefined,
    list: () => list.all(),
  };
}
