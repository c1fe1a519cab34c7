-- compatible: older releases go on
-- Which activation of a writer made which commits: its own are those from its first one to the next one's first.
CREATE TABLE writer_session (
  session       TEXT PRIMARY KEY,
  first_ordinal INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last commit that an activation with a session has made. An older release counts on without one, so what is beyond
-- this is its.
ALTER TABLE writer_commit ADD COLUMN session_ordinal INTEGER NOT NULL DEFAULT 0;
