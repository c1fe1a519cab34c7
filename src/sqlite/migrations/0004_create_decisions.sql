-- compatible: older releases go on
-- What was decided about the history of this database: where it was cut, and what was given up beyond that.
CREATE TABLE writer_decision (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,    -- restore, heal or settle
  history     TEXT,             -- the first session, which names the history; null where there was none
  cut_session TEXT,             -- the last commit that was kept; null where none was
  cut_ordinal INTEGER NOT NULL, -- 0 where none was
  abandoned   TEXT NOT NULL,    -- JSON: [{"session", "firstOrdinal", "lastOrdinal"}]
  generations TEXT NOT NULL,    -- JSON: the names of those that the replica had then
  decided_by  TEXT NOT NULL,
  at_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
