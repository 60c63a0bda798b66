-- Lists of things to do, with tags that people name the same on their own.
CREATE TABLE lists (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  title TEXT NOT NULL,
  colour TEXT NOT NULL DEFAULT 'grey' CHECK (colour IN ('grey', 'red', 'green', 'blue'))
);
CREATE TABLE items (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  origin TEXT NOT NULL,
  list_id INTEGER NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
  body TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
  due INTEGER,
  estimate REAL
);
CREATE TABLE labels (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  list_id INTEGER NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  UNIQUE (list_id, name)
);
CREATE TABLE tags (
  name TEXT PRIMARY KEY NOT NULL,
  note TEXT
);
CREATE TABLE item_tags (
  item_id INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
  tag TEXT NOT NULL REFERENCES tags (name) ON UPDATE CASCADE ON DELETE CASCADE,
  PRIMARY KEY (item_id, tag)
) WITHOUT ROWID;
CREATE INDEX items_by_list ON items (list_id);
