-- Outcomes that a client has not confirmed, one row a client, written in the commit that made them.
CREATE TABLE writer_ledger (
  client      TEXT PRIMARY KEY,
  outcomes    TEXT NOT NULL,
  saved_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
