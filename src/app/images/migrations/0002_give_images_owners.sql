-- The same bytes are kept once, whoever uploads them, and each owner knows only of what it has uploaded itself. What was
-- there before belongs to the owner without a name: whoever calls while there are no keys.
CREATE TABLE image_owners (
  owner TEXT NOT NULL,
  image_key INTEGER NOT NULL REFERENCES images (key),
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (owner, image_key)
) STRICT, WITHOUT ROWID;
INSERT INTO image_owners (owner, image_key, created_at_ms) SELECT '', key, created_at_ms FROM images;
-- What each owner's images add up to, so that its quota is one look and not a sum. An image of two owners counts for both.
CREATE TABLE image_usage (
  owner TEXT PRIMARY KEY,
  size_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO image_usage (owner, size_bytes) SELECT '', sum(size_bytes) FROM images HAVING count(*) > 0;
