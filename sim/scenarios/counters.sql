-- What people count, measure and tag together. `days` have keys that devices choose alike, `products` have integers of
-- their own. What may be NULL is set back to it now and then.
CREATE TABLE days (
  day TEXT PRIMARY KEY NOT NULL,
  visits INTEGER NOT NULL DEFAULT 0,
  distance REAL NOT NULL DEFAULT 0,
  score INTEGER,
  warmest INTEGER NOT NULL DEFAULT 0,
  coldest INTEGER NOT NULL DEFAULT 0,
  tags TEXT NOT NULL DEFAULT '[]',
  note TEXT
);
CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  name TEXT,
  stock INTEGER NOT NULL DEFAULT 20 CHECK (stock >= 0),
  votes INTEGER NOT NULL DEFAULT 0,
  last_sold INTEGER,
  members TEXT
);
