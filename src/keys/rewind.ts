import type { RewindHandler } from '../contract/feature.ts';

/**
 * A revoked key, or a rotated secret, may be known to somebody: going back in time must not make it valid again. Keys
 * that were made since are gone.
 */
export const onRewind: RewindHandler = (db, { to, replaced }) => {
  if (!replaced)
    return `keys revoked or rotated since ${new Date(to.atMs).toISOString()} are as they were before: revoke or rotate them again`;
  const keep = db.prepare(
    `UPDATE keys SET
       secret_hash = @secretHash, old_secret_hash = @oldSecretHash, old_secret_until_ms = @oldSecretUntilMs,
       expires_at_ms = @expiresAtMs, rotated_at_ms = @rotatedAtMs, revoked_at_ms = ifnull(revoked_at_ms, @revokedAtMs)
     WHERE id = @id
       AND ((revoked_at_ms IS NULL AND @revokedAtMs IS NOT NULL) OR ifnull(rotated_at_ms, 0) < ifnull(@rotatedAtMs, 0))`,
  );
  const keys = replaced.prepare(
    `SELECT id, secret_hash AS secretHash, old_secret_hash AS oldSecretHash, old_secret_until_ms AS oldSecretUntilMs,
       expires_at_ms AS expiresAtMs, rotated_at_ms AS rotatedAtMs, revoked_at_ms AS revokedAtMs
     FROM keys`,
  );
  let kept = 0;
  for (const key of keys.iterate()) kept += keep.run(key).changes;
  return `${kept} revoked or rotated since ${kept === 1 ? 'stays' : 'stay'} so`;
};
