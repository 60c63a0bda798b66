# Keys that refer to a row by its name, where the name is not that row's key.

given CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
given CREATE TABLE used(note INT, tag TEXT REFERENCES tag(name) ON UPDATE CASCADE ON DELETE CASCADE, text TEXT,
    PRIMARY KEY(note, tag)) WITHOUT ROWID;

== The tag and its uses are deleted together
a: INSERT INTO tag VALUES(1, 'work'), (2, 'play'); INSERT INTO used VALUES(1, 'work', 'w'), (1, 'play', 'p')
sync
a: DELETE FROM used WHERE tag = 'work'; DELETE FROM tag WHERE name = 'work'
sync
all: SELECT name, text FROM tag LEFT JOIN used ON tag = name => play p
parked: =>

== The tag and uses that would keep it are deleted together
given CREATE TABLE kept(note INT, tag TEXT REFERENCES tag(name), text TEXT, PRIMARY KEY(note, tag)) WITHOUT ROWID;
a: INSERT INTO tag VALUES(1, 'work'), (2, 'play'); INSERT INTO kept VALUES(1, 'work', 'w'), (1, 'play', 'p')
sync
a: DELETE FROM kept WHERE tag = 'work'; DELETE FROM tag WHERE name = 'work'
sync
all: SELECT name, text FROM tag LEFT JOIN kept ON tag = name => play p
parked: =>

== The tag is deleted, and its uses follow by themselves
a: INSERT INTO tag VALUES(1, 'work'), (2, 'play'); INSERT INTO used VALUES(1, 'work', 'w'), (1, 'play', 'p')
sync
b: DELETE FROM tag WHERE name = 'work'
sync
all: SELECT name, text FROM tag LEFT JOIN used ON tag = name => play p
parked: =>

== The tag is renamed with its uses, while another use is added
a: INSERT INTO tag VALUES(1, 'work'); INSERT INTO used VALUES(1, 'work', 'first')
sync
a: UPDATE tag SET name = 'job'
b: INSERT INTO used VALUES(2, 'work', 'second')
sync
all: SELECT note, tag, text FROM used ORDER BY note => 1 job first | 2 job second
all: SELECT name FROM tag => job
parked: =>

== The tag is renamed and its old name given to another, in one transaction
a: INSERT INTO tag VALUES(1, 'work'); INSERT INTO used VALUES(1, 'work', 'first')
sync
a: UPDATE tag SET name = 'job'; INSERT INTO tag VALUES(5, 'work'); INSERT INTO used VALUES(1, 'work', 'other')
sync
all: SELECT note, tag, text FROM used ORDER BY tag => 1 job first | 1 work other
b: DELETE FROM used WHERE tag = 'job'; DELETE FROM tag WHERE name = 'job'
sync
all: SELECT note, tag, text FROM used => 1 work other
all: SELECT name FROM tag => work

== Names change places under uses that stay: now they are uses of the other
given CREATE TABLE kept(note INT, tag TEXT REFERENCES tag(name) DEFERRABLE INITIALLY DEFERRED, text TEXT,
    PRIMARY KEY(note, tag)) WITHOUT ROWID;
a: INSERT INTO tag VALUES(1, 'work'), (2, 'play'); INSERT INTO kept VALUES(1, 'work', 'w'), (2, 'play', 'p')
sync
a: UPDATE tag SET name = '-' WHERE id = 1; UPDATE tag SET name = 'work' WHERE id = 2;
    UPDATE tag SET name = 'play' WHERE id = 1
sync
all: SELECT note, tag, text FROM kept ORDER BY note => 1 work w | 2 play p
b: UPDATE tag SET name = 'fun' WHERE id = 1; UPDATE kept SET tag = 'fun' WHERE tag = 'play'
sync
all: SELECT note, tag, text FROM kept ORDER BY note => 1 work w | 2 fun p
a: DELETE FROM kept; DELETE FROM tag
sync
all: SELECT (SELECT count(*) FROM tag), (SELECT count(*) FROM kept) => 0 0
parked: =>

== One name made twice, both with uses; then all of it deleted together
a: INSERT INTO tag VALUES(1, 'work'); INSERT INTO used VALUES(1, 'work', 'of a')
b: INSERT INTO tag VALUES(7, 'work'); INSERT INTO used VALUES(2, 'work', 'of b')
sync
all: SELECT note, tag, text FROM used ORDER BY note => 1 work of a | 2 work of b
a: DELETE FROM used; DELETE FROM tag
sync
all: SELECT (SELECT count(*) FROM tag), (SELECT count(*) FROM used) => 0 0
parked: =>

== A file that had them before it was tracked
given CREATE TABLE x(y PRIMARY KEY); INSERT INTO tag VALUES(1, 'work'); INSERT INTO used VALUES(1, 'work', 'w');
sync
b: DELETE FROM used; DELETE FROM tag
sync
all: SELECT (SELECT count(*) FROM tag), (SELECT count(*) FROM used) => 0 0
parked: =>

== A use is deleted where the tag was, and the tag is made again
a: INSERT INTO tag VALUES(1, 'work'); INSERT INTO used VALUES(1, 'work', 'old')
sync
a: DELETE FROM used; DELETE FROM tag; INSERT INTO tag VALUES(1, 'work'); INSERT INTO used VALUES(1, 'work', 'new')
sync
all: SELECT text FROM used => new
b: DELETE FROM used; DELETE FROM tag
sync
all: SELECT (SELECT count(*) FROM tag), (SELECT count(*) FROM used) => 0 0
parked: =>
