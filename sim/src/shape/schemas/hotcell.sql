-- As small as a schema can be: everyone writes the same few cells.
CREATE TABLE settings (
  name TEXT PRIMARY KEY NOT NULL,
  value TEXT,
  number INTEGER
);
