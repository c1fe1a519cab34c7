CREATE TABLE files (
  owner TEXT NOT NULL,
  id TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (owner, id)
) STRICT;
