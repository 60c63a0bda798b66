# Rows that are deleted, and keys that are used again.

given CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT);
given CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT);

== An integer key that SQLite gives again is another row
a: INSERT INTO tag VALUES(6, 'kept'), (7, 'old')
sync
a is offline
b: UPDATE tag SET name = 'edited' WHERE id = 7
a: DELETE FROM tag WHERE id = 7
a: INSERT INTO tag(name) VALUES('new')
a: SELECT name FROM tag WHERE id = 7 => new
a is online
sync
all: SELECT name FROM tag ORDER BY name => kept | new

== Two devices give one integer: two rows, each under a key that is free
a: INSERT INTO tag VALUES(1, 'of a')
b: INSERT INTO tag VALUES(1, 'of b')
sync
all: SELECT name FROM tag ORDER BY name => of a | of b

== Two deletes of one row are one
a: INSERT INTO tag VALUES(1, 'x')
sync
a: DELETE FROM tag
b: DELETE FROM tag
c: SELECT count(*) FROM tag => 1
sync
all: SELECT count(*) FROM tag => 0

== A declared key lives, dies and lives again
a: INSERT INTO setting VALUES('theme', 'light')
sync
b: DELETE FROM setting
sync
c: INSERT INTO setting VALUES('theme', 'dark')
sync
all: SELECT key, value FROM setting => theme dark

== A change of the old life that comes last stays with the old life
a: INSERT INTO setting VALUES('theme', 'light')
sync
c is offline
c: UPDATE setting SET value = 'of the old life'
b: DELETE FROM setting
sync
b: INSERT INTO setting VALUES('theme', 'dark')
sync
c is online
sync
all: SELECT key, value FROM setting => theme dark

== Who never saw a key that others deleted long ago inserts it: it lives
c is offline
a: INSERT INTO setting VALUES('theme', 'light')
sync
a: DELETE FROM setting
sync
c: INSERT INTO setting VALUES('theme', 'dark')
c is online
sync
all: SELECT value FROM setting => dark

== Both insert one declared key: one row, with the later value
a: INSERT INTO setting VALUES('theme', 'light')
b: INSERT INTO setting VALUES('theme', 'dark')
sync
all: SELECT key, value FROM setting => theme dark

== A row of a template that was deleted stays deleted when the template comes again
given CREATE TABLE hint(id INTEGER PRIMARY KEY, text TEXT); INSERT INTO hint VALUES(1, 'tap here'), (2, 'swipe');
c is offline
sync
a: DELETE FROM hint WHERE id = 1
sync
c is online
sync
all: SELECT id, text FROM hint => 2 swipe

== A key that an UPDATE changes takes the row's children along
given CREATE TABLE page(slug TEXT PRIMARY KEY, title TEXT);
given CREATE TABLE link(id INTEGER PRIMARY KEY, page TEXT REFERENCES page(slug) ON UPDATE CASCADE, n INT);
a: INSERT INTO page VALUES('old', 'Page'); INSERT INTO link(page, n) VALUES('old', 1)
sync
a: PRAGMA foreign_keys = ON; UPDATE page SET slug = 'new'; UPDATE link SET page = 'new' WHERE page = 'old'
sync
all: SELECT slug, title, n FROM page JOIN link ON link.page = slug => new Page 1

== A device that was away for ten years of its own clock
a: INSERT INTO tag VALUES(1, 'x')
sync
clock of b: -3650 days
b: UPDATE tag SET name = 'of b, now'
sync
all: SELECT name FROM tag => of b, now

== What a device ten years ahead writes is beaten by what is written over it
clock of a: 3650 days
a: INSERT INTO setting VALUES('k', 'future')
sync
b: UPDATE setting SET value = 'present'
sync
all: SELECT value FROM setting => present
