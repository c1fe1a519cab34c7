-- A movie has one alert for each owner. What was there before belongs to the owner without a name: whoever calls
-- while there are no keys. SQLite cannot change a unique constraint in place.
CREATE TABLE owned_alerts (
  id INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  movie_id TEXT NOT NULL,
  email TEXT NOT NULL,
  notification_date TEXT NOT NULL, -- YYYY-MM-DD
  title TEXT NOT NULL,
  category TEXT NOT NULL,
  image_url TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 1, -- rises by one with each replacement
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  UNIQUE (owner, movie_id)
) STRICT;
INSERT INTO owned_alerts
  SELECT id, '', movie_id, email, notification_date, title, category, image_url, version, created_at_ms,
    updated_at_ms
  FROM alerts ORDER BY id;
DROP TABLE alerts;
ALTER TABLE owned_alerts RENAME TO alerts;
-- For the list of one owner, newest first.
CREATE INDEX alerts_by_owner ON alerts (owner, id);
