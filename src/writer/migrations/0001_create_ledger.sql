-- Outcomes that a client has not confirmed, one row a client, written in the commit that made them.
CREATE TABLE writer_ledger (
  client      TEXT PRIMARY KEY,
  outcomes    TEXT NOT NULL,
  saved_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row that is written when nothing else is, to make Litestream try again.
CREATE TABLE writer_heartbeat (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO writer_heartbeat (id, at_ms) VALUES (1, 0);
