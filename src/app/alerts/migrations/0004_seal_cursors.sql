-- compatible: older releases go on
-- The cursors of lists are sealed with it.
CREATE TABLE cursor_key (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  value BLOB NOT NULL
) STRICT;
INSERT INTO cursor_key (id, value) VALUES (1, randomblob(32));
