-- What became of each write that its sender named by an Idempotency-Key, written in the commit that made it.
CREATE TABLE writer_idempotency (
  owner       TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint TEXT NOT NULL, -- of the request: another one under the same key is refused
  outcome     TEXT NOT NULL, -- JSON
  at_ms       INTEGER NOT NULL,
  PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

-- For those that are too old to be asked for again.
CREATE INDEX writer_idempotency_by_age ON writer_idempotency (at_ms);
