-- One alert a movie. The id is the place in creation order, which a replacement keeps.
CREATE TABLE alerts (
  id INTEGER PRIMARY KEY,
  movie_id TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  notification_date TEXT NOT NULL, -- YYYY-MM-DD
  title TEXT NOT NULL,
  category TEXT NOT NULL,
  image_url TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 1, -- rises by one with each replacement
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;
