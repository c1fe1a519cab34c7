-- Content-addressed: an image never changes, so it is only ever inserted. The bytes come last, so that a look at
-- the other columns does not walk their overflow pages.
CREATE TABLE images (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE, -- SHA-256 of the bytes in base64url
  type TEXT NOT NULL, -- the media type, judged by the bytes
  size_bytes INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
