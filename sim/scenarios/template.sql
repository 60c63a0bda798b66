-- What an app ships in its template database: rows that are there before anything is tracked.
CREATE TABLE categories (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  title TEXT NOT NULL
);
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  category_id INTEGER REFERENCES categories (id) ON DELETE CASCADE,
  body TEXT
);
CREATE TABLE settings (
  name TEXT PRIMARY KEY NOT NULL,
  value TEXT
);
INSERT INTO categories (id, origin, title) VALUES
  (1, 'template-home', 'Home'), (2, 'template-work', 'Work'), (3, 'template-garden', 'Garden');
INSERT INTO entries (id, origin, category_id, body) VALUES
  (1, 'template-welcome', 1, 'Welcome'), (2, 'template-tour', 2, 'Take the tour');
INSERT INTO settings (name, value) VALUES ('k0', 'light'), ('k1', 'metric');
