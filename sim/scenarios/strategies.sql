-- Tables with a rule for every way to decide.
CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  title TEXT,
  body TEXT,
  remark TEXT
);
CREATE TABLE settings (
  name TEXT PRIMARY KEY NOT NULL,
  value TEXT,
  number INTEGER
);
CREATE TABLE cards (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  text TEXT,
  shelf INTEGER
);
