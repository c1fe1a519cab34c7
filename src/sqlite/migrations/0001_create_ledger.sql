-- Outcomes that a client has not confirmed, one row a client, written in the commit that made them.
CREATE TABLE writer_ledger (
  client   TEXT PRIMARY KEY,
  outcomes TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row that is written when nothing else is, to make Litestream try again.
CREATE TABLE writer_heartbeat (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO writer_heartbeat (id, at_ms) VALUES (1, 0);

-- The last commit of the writer's: how many there have been, and when. A restored copy tells by it what it holds.
CREATE TABLE writer_commit (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  ordinal INTEGER NOT NULL,
  at_ms   INTEGER NOT NULL
) STRICT;
INSERT INTO writer_commit (id, ordinal, at_ms) VALUES (1, 0, 0);
