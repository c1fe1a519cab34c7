-- One row a key that ever was: a revoked one stays, so that the last one's end does not open the service again.
CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  owner TEXT NOT NULL, -- whose alerts and images it reaches
  scope TEXT NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
  secret_hash BLOB NOT NULL, -- SHA-256
  old_secret_hash BLOB, -- of the secret before the last rotation
  old_secret_until_ms INTEGER, -- how long that one is still taken
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER,
  rotated_at_ms INTEGER,
  revoked_at_ms INTEGER,
  last_used_at_ms INTEGER -- to the minute
) STRICT, WITHOUT ROWID;
-- A name finds one key, and is free again when that is revoked.
CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at_ms IS NULL;
