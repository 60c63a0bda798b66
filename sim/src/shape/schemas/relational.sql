-- Every foreign-key action, in a chain and in a diamond, with unique keys in between.
CREATE TABLE artists (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  born INTEGER
);
-- A cascade here, and a reference below that forbids it: a revival that a cascade fights.
CREATE TABLE albums (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  artist_id INTEGER NOT NULL REFERENCES artists (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  title TEXT,
  UNIQUE (artist_id, position)
);
CREATE TABLE tracks (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  album_id INTEGER NOT NULL REFERENCES albums (id) ON DELETE NO ACTION,
  title TEXT
);
CREATE TABLE labels (
  name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  owner TEXT
) WITHOUT ROWID;
-- The diamond: a contract hangs on an artist and on a label, a payment on the contract and on the artist.
CREATE TABLE contracts (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  artist_id INTEGER REFERENCES artists (id) ON DELETE SET NULL,
  label TEXT REFERENCES labels (name) ON UPDATE CASCADE ON DELETE RESTRICT,
  terms TEXT
);
CREATE TABLE payments (
  contract_id INTEGER NOT NULL REFERENCES contracts (id) ON DELETE CASCADE,
  month TEXT NOT NULL,
  artist_id INTEGER REFERENCES artists (id) ON DELETE RESTRICT,
  amount REAL,
  PRIMARY KEY (contract_id, month)
) WITHOUT ROWID;
-- A composite reference to a composite key.
CREATE TABLE receipts (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  contract_id INTEGER,
  month TEXT,
  remark TEXT,
  FOREIGN KEY (contract_id, month) REFERENCES payments (contract_id, month) ON DELETE SET NULL
);
-- A tree in one table.
CREATE TABLE genres (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  parent_id INTEGER REFERENCES genres (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  UNIQUE (parent_id, name)
);
