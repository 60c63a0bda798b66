-- The first version of an application that changes.
CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  title TEXT,
  body TEXT,
  draft TEXT
);
CREATE TABLE settings (
  name TEXT PRIMARY KEY NOT NULL,
  value TEXT
);
