-- compatible: older releases go on
-- Each time that this database went back, and its features have heard of it: what they did about what had happened since.
CREATE TABLE writer_rewind (
  id           TEXT PRIMARY KEY,
  from_ordinal INTEGER NOT NULL,
  from_at_ms   INTEGER NOT NULL,
  to_ordinal   INTEGER NOT NULL,
  to_at_ms     INTEGER NOT NULL,
  told         TEXT NOT NULL, -- for people
  at_ms        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
