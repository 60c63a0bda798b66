# Devices whose schemas differ, and schemas that change.

== An older schema edits rows of which it does not know all: nothing is lost
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT, stars INT);
given b CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT);
a: INSERT INTO note VALUES('x', 'old', 5)
sync
b: UPDATE note SET title = 'new'
sync
a: SELECT id, title, stars FROM note => x new 5
b: ALTER TABLE note ADD COLUMN stars INT
sync
all: SELECT id, title, stars FROM note => x new 5

== A table that a device does not have is kept, and shown after its migration
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT); CREATE TABLE tag(name TEXT PRIMARY KEY);
given b CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT);
a: INSERT INTO tag VALUES('work')
sync
b: CREATE TABLE tag(name TEXT PRIMARY KEY)
b tracks
sync
all: SELECT name FROM tag => work

== An older and a newer schema insert one natural key
given CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT, note TEXT);
given b CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT);
a: INSERT INTO setting VALUES('theme', 'light', 'by a')
b: INSERT INTO setting VALUES('theme', 'dark')
sync
all: SELECT key, value FROM setting => theme dark
a: SELECT note FROM setting => by a

== ADD COLUMN with a default, on one device and later on the other
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT);
a: INSERT INTO note VALUES('x', 'one')
sync
a: ALTER TABLE note ADD COLUMN stars INT DEFAULT 3
a: UPDATE note SET stars = 4
b: INSERT INTO note VALUES('y', 'two')
sync
a: SELECT id, stars FROM note ORDER BY id => x 4 | y 3
b: ALTER TABLE note ADD COLUMN stars INT DEFAULT 3
sync
all: SELECT id, stars FROM note ORDER BY id => x 4 | y 3

== RENAME COLUMN: it is the same column for who has not renamed it
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT);
a: INSERT INTO note VALUES('x', 'one')
sync
a migrates: ALTER TABLE note RENAME COLUMN title TO heading
b: UPDATE note SET title = 'two'
sync
a: SELECT heading FROM note => two
a: UPDATE note SET heading = 'three'
sync
b: SELECT title FROM note => three

== RENAME TABLE: so is the table
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT);
a: INSERT INTO note VALUES('x', 'one')
sync
a migrates: ALTER TABLE note RENAME TO memo
a: UPDATE memo SET title = 'two'
b: INSERT INTO note VALUES('y', 'three')
sync
a: SELECT id, title FROM memo ORDER BY id => x two | y three
b: SELECT id, title FROM note ORDER BY id => x two | y three

== DROP COLUMN by any program; what others have there is kept, and comes with the column when it is back
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT, stars INT);
a: INSERT INTO note VALUES('x', 'one', 1), ('y', 'own', 2)
sync
a: ALTER TABLE note DROP COLUMN stars
b: UPDATE note SET stars = 5 WHERE id = 'x'
sync
a: UPDATE note SET title = 'two' WHERE id = 'x'
sync
b: SELECT title, stars FROM note ORDER BY id => two 5 | own 2
a: ALTER TABLE note ADD COLUMN stars INT
sync
all: SELECT title, stars FROM note ORDER BY id => two 5 | own 2

== DROP TABLE on one device deletes no rows elsewhere, and they come with the table when it is back
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT); CREATE TABLE old(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE older(a TEXT, b TEXT, PRIMARY KEY(a, b));
a: INSERT INTO old(name) VALUES('x'), ('v'), ('w'); INSERT INTO older VALUES('p', 'q'), (NULL, 'r')
sync
a: DROP TABLE old; DROP TABLE older
sync
b: SELECT name FROM old ORDER BY name => v | w | x
b: INSERT INTO old(name) VALUES('y'); UPDATE old SET name = 'X' WHERE name = 'x'
sync
a: CREATE TABLE old(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE older(a TEXT, b TEXT, PRIMARY KEY(a, b))
a: INSERT INTO old(name) VALUES('z')
sync
all: SELECT name FROM old ORDER BY name => X | v | w | y | z
all: SELECT a, b FROM older ORDER BY b => p q | NULL r

== A table rebuilt in twelve steps, as migration tools do
given CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
a: INSERT INTO note(title) VALUES('one'), ('two')
sync
a: CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT NOT NULL DEFAULT '', stars INT DEFAULT 0);
    INSERT INTO fresh(id, title) SELECT id, title FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note
b: INSERT INTO note(title) VALUES('three')
sync
a: UPDATE note SET title = 'TWO' WHERE title = 'two'
sync
all: SELECT title FROM note ORDER BY id => one | TWO | three

== A rebuild that changes values, run by the engine: they are sent
given CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
a: INSERT INTO note(title) VALUES('one'), ('two')
sync
a migrates: CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT);
    INSERT INTO fresh SELECT id, upper(title) FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note
sync
all: SELECT title FROM note ORDER BY id => ONE | TWO

== A rebuild that changes values, and an edit after it that nobody saw: they are found and sent
given CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT);
a: INSERT INTO note(title, body) VALUES('one', 'x'), ('two', 'x')
sync
a: CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT, body TEXT);
    INSERT INTO fresh SELECT id, upper(title), body FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note;
    UPDATE note SET body = 'a' WHERE title = 'ONE'
b: UPDATE note SET body = 'b' WHERE title = 'two'
sync
all: SELECT title, body FROM note ORDER BY id => ONE a | TWO b

== Another primary key
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT);
a: INSERT INTO note VALUES('x', 'one')
sync
a migrates: CREATE TABLE fresh(n INTEGER PRIMARY KEY, id TEXT, title TEXT);
    INSERT INTO fresh(id, title) SELECT id, title FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note
b migrates: CREATE TABLE fresh(n INTEGER PRIMARY KEY, id TEXT, title TEXT);
    INSERT INTO fresh(id, title) SELECT id, title FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note
b: UPDATE note SET title = 'two'
sync
all: SELECT id, title FROM note => x two

== A rebuild that renames a column, declared afterwards
given CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
a: INSERT INTO note(title) VALUES('one')
sync
a: CREATE TABLE fresh(id INTEGER PRIMARY KEY, heading TEXT);
    INSERT INTO fresh SELECT id, title FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note
a renames: note.title heading
b: UPDATE note SET title = 'two'
sync
a: SELECT heading FROM note => two
b: SELECT title FROM note => two

== A table is rebuilt behind the engine's back after an edit of another one that nobody had heard of: the loser is in the logs
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT); CREATE TABLE tag(id INTEGER PRIMARY KEY, word TEXT);
a: INSERT INTO note VALUES('n', 'one'); INSERT INTO tag(word) VALUES('w')
sync
a: UPDATE note SET title = 'mine'
a: CREATE TABLE fresh(id INTEGER PRIMARY KEY, word TEXT);
    INSERT INTO fresh SELECT id, upper(word) FROM tag; DROP TABLE tag; ALTER TABLE fresh RENAME TO tag
b: UPDATE note SET title = 'theirs'
sync
sync
all: SELECT title, word FROM note, tag => theirs W
log of hub: => 1
