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
b migrates: CREATE TABLE tag(name TEXT PRIMARY KEY)
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

== DROP COLUMN by any program; what others write there is kept
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT, stars INT);
a: INSERT INTO note VALUES('x', 'one', 1)
sync
a: ALTER TABLE note DROP COLUMN stars
b: UPDATE note SET stars = 5
sync
a: UPDATE note SET title = 'two'
sync
b: SELECT title, stars FROM note => two 5
a: ALTER TABLE note ADD COLUMN stars INT
sync
a: SELECT title, stars FROM note => two 5

== DROP TABLE on one device deletes no rows elsewhere
given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT); CREATE TABLE old(id TEXT PRIMARY KEY);
a: INSERT INTO old VALUES('x')
sync
a: DROP TABLE old
sync
b: SELECT id FROM old => x
b: INSERT INTO old VALUES('y')
sync
a: CREATE TABLE old(id TEXT PRIMARY KEY)
a migrates: SELECT 1
sync
b: SELECT id FROM old ORDER BY id => x | y

== A table rebuilt in twelve steps, as migration tools do
given CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
a: INSERT INTO note(title) VALUES('one'), ('two')
sync
a: CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT NOT NULL DEFAULT '', stars INT DEFAULT 0);
    INSERT INTO fresh(id, title) SELECT id, title FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note
b: INSERT INTO note(title) VALUES('three')
a: UPDATE note SET title = 'TWO' WHERE title = 'two'
sync
all: SELECT title FROM note ORDER BY id => one | TWO | three

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
