-- What applications leave to triggers: a time of the last change, a count of what was ever added, and two things that are not
-- synced because every device makes them for itself: how many items a list has, and a full-text index.
CREATE TABLE lists (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  added INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE items (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  list_id INTEGER NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
  title TEXT,
  body TEXT,
  updated_at INTEGER
);
CREATE TABLE labels (
  name TEXT PRIMARY KEY NOT NULL,
  color TEXT,
  updated_at INTEGER
);

CREATE TRIGGER item_changed AFTER UPDATE OF list_id, title, body ON items BEGIN
  UPDATE items SET updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) WHERE id = NEW.id;
END;
CREATE TRIGGER label_changed AFTER UPDATE OF color ON labels BEGIN
  UPDATE labels SET updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) WHERE name = NEW.name;
END;
CREATE TRIGGER item_added AFTER INSERT ON items BEGIN
  UPDATE lists SET added = added + 1 WHERE id = NEW.list_id;
END;

CREATE TABLE list_sizes (list_id INTEGER PRIMARY KEY, items INTEGER NOT NULL);
CREATE TRIGGER size_insert AFTER INSERT ON items BEGIN
  INSERT INTO list_sizes VALUES (NEW.list_id, 1) ON CONFLICT (list_id) DO UPDATE SET items = items + 1;
END;
CREATE TRIGGER size_delete AFTER DELETE ON items BEGIN
  UPDATE list_sizes SET items = items - 1 WHERE list_id = OLD.list_id;
END;
CREATE TRIGGER size_update AFTER UPDATE OF list_id ON items BEGIN
  UPDATE list_sizes SET items = items - 1 WHERE list_id = OLD.list_id;
  INSERT INTO list_sizes VALUES (NEW.list_id, 1) ON CONFLICT (list_id) DO UPDATE SET items = items + 1;
END;

CREATE VIRTUAL TABLE items_text USING fts5(title, body, content = 'items', content_rowid = 'id');
CREATE TRIGGER text_insert AFTER INSERT ON items BEGIN
  INSERT INTO items_text (rowid, title, body) VALUES (NEW.id, NEW.title, NEW.body);
END;
CREATE TRIGGER text_delete AFTER DELETE ON items BEGIN
  INSERT INTO items_text (items_text, rowid, title, body) VALUES ('delete', OLD.id, OLD.title, OLD.body);
END;
CREATE TRIGGER text_update AFTER UPDATE OF id, title, body ON items BEGIN
  INSERT INTO items_text (items_text, rowid, title, body) VALUES ('delete', OLD.id, OLD.title, OLD.body);
  INSERT INTO items_text (rowid, title, body) VALUES (NEW.id, NEW.title, NEW.body);
END;
