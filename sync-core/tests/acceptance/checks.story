# CHECK, NOT NULL and the application's own triggers.

== Two writes that a CHECK does not allow together do not come together
given CREATE TABLE span(id TEXT PRIMARY KEY, low INT, high INT, CHECK(low < high));
a: INSERT INTO span VALUES('x', 1, 10)
sync
a: UPDATE span SET low = 5
b: UPDATE span SET high = 3
sync
all: SELECT low, high FROM span => 1 3
parked: =>

== A row that a device's stricter schema refuses is parked there, and comes when it fits
given CREATE TABLE item(id TEXT PRIMARY KEY, n INT);
given b CREATE TABLE item(id TEXT PRIMARY KEY, n INT CHECK(n > 0));
a: INSERT INTO item VALUES('x', -1), ('y', 1)
sync
b: SELECT id FROM item => y
b: SELECT table_name, reason FROM __pocketsync_parked => item refused
a: UPDATE item SET n = 2 WHERE id = 'x'
sync
all: SELECT id, n FROM item ORDER BY id => x 2 | y 1
parked: =>

== A full-text index that triggers keep answers for what came from others
given CREATE TABLE doc(id INTEGER PRIMARY KEY, body TEXT);
    CREATE VIRTUAL TABLE doc_text USING fts5(body, content='doc', content_rowid='id');
    CREATE TRIGGER doc_ai AFTER INSERT ON doc BEGIN
      INSERT INTO doc_text(rowid, body) VALUES(NEW.id, NEW.body); END;
    CREATE TRIGGER doc_ad AFTER DELETE ON doc BEGIN
      INSERT INTO doc_text(doc_text, rowid, body) VALUES('delete', OLD.id, OLD.body); END;
    CREATE TRIGGER doc_au AFTER UPDATE ON doc BEGIN
      INSERT INTO doc_text(doc_text, rowid, body) VALUES('delete', OLD.id, OLD.body);
      INSERT INTO doc_text(rowid, body) VALUES(NEW.id, NEW.body); END;
a: INSERT INTO doc(body) VALUES('the quick fox'), ('a lazy dog')
sync
all: SELECT doc.body FROM doc_text JOIN doc ON doc.id = doc_text.rowid WHERE doc_text MATCH 'fox' => the quick fox
b: UPDATE doc SET body = 'the slow snail' WHERE body LIKE '%fox'
a: DELETE FROM doc WHERE body LIKE '%dog'
sync
all: SELECT count(*) FROM doc_text WHERE doc_text MATCH 'fox OR dog' => 0
all: SELECT doc.body FROM doc_text JOIN doc ON doc.id = doc_text.rowid WHERE doc_text MATCH 'snail' => the slow snail

== An updated_at trigger writes once, at home
given CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, updated INT DEFAULT 0);
    CREATE TRIGGER touched AFTER UPDATE OF title ON note BEGIN
      UPDATE note SET updated = updated + 1 WHERE id = NEW.id; END;
a: INSERT INTO note(title) VALUES('x')
sync
b: UPDATE note SET title = 'y'
sync
all: SELECT title, updated FROM note => y 1
a: UPDATE note SET title = 'z'
sync
all: SELECT title, updated FROM note => z 2

== A count that a trigger keeps is not counted twice
given CREATE TABLE list(id TEXT PRIMARY KEY, items INT);
    CREATE TABLE item(id INTEGER PRIMARY KEY, list TEXT, name TEXT);
    CREATE TRIGGER counted AFTER INSERT ON item BEGIN
      UPDATE list SET items = items + 1 WHERE id = NEW.list; END;
a: INSERT INTO list VALUES('l', 0)
sync
a: INSERT INTO item(list, name) VALUES('l', 'one')
sync
b: INSERT INTO item(list, name) VALUES('l', 'two')
sync
all: SELECT items FROM list => 2
