# Some devices may not write everything. What they may not, the hub does not take; it is kept where it was made.

given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT, stars INT DEFAULT 3);
    CREATE TABLE comment(id TEXT PRIMARY KEY, note TEXT REFERENCES note(id) ON DELETE CASCADE, body TEXT);

== A change in a table that a device may not write goes back, and the rest of its transaction arrives
a: INSERT INTO note VALUES('x', 'of a', 1)
sync
rights of b: read, write comment
b: UPDATE note SET title = 'of b'; INSERT INTO comment VALUES('c', 'x', 'hello')
sync
all: SELECT title FROM note => of a
all: SELECT body FROM comment => hello
refused of b: => note x

== It does not beat a write that was made before it and arrives after it
a: INSERT INTO note VALUES('x', 'old', 1)
sync
rights of b: read
a is offline
a: UPDATE note SET title = 'of a'
b: UPDATE note SET title = 'of b'
sync
b: SELECT title FROM note => old
a is online
sync
all: SELECT title FROM note => of a
refused of b: => note x

== A new row that is refused is nowhere, and a deletion that is refused has not been
a: INSERT INTO note VALUES('x', 'of a', 1); INSERT INTO comment VALUES('c', 'x', 'hello')
sync
rights of b: read
b: INSERT INTO note VALUES('y', 'of b', 2); DELETE FROM comment; DELETE FROM note WHERE id = 'x'
sync
all: SELECT id, title, stars FROM note => x of a 1
all: SELECT body FROM comment => hello
refused of b: => comment c | note x | note y

== When the right is given, what was refused is written once more on demand
rights of b: read
b: INSERT INTO note VALUES('x', 'of b', 5)
sync
a: SELECT title FROM note =>
b: SELECT title FROM note =>
rights of b: read, write
sync
all: SELECT title FROM note =>
refused of b: => note x
b retries
refused of b: =>
sync
all: SELECT title, stars FROM note => of b 5
refused of b: =>

== What is tried again and still not allowed is refused again
rights of b: read
b: INSERT INTO note VALUES('x', 'of b', 5)
sync
b retries
b: SELECT title FROM note => of b
sync
all: SELECT title FROM note =>
refused of b: => note x

== A row whose parent is refused waits for it
rights of b: read, write comment
b: INSERT INTO note VALUES('x', 'of b', 1); INSERT INTO comment VALUES('c', 'x', 'hello')
sync
all: SELECT count(*) FROM comment => 0
parked: => comment missing parent
refused of b: => note x
rights of b: read, write
b retries
sync
all: SELECT title FROM note => of b
all: SELECT body FROM comment => hello

== A parent that may be deleted takes along what may not
a: INSERT INTO note VALUES('x', 'of a', 1); INSERT INTO comment VALUES('c', 'x', 'hello')
sync
rights of b: read, write note
b: DELETE FROM note
sync
all: SELECT count(*) FROM note => 0
all: SELECT count(*) FROM comment => 0

== A refused deletion of a parent keeps its children
a: INSERT INTO note VALUES('x', 'of a', 1); INSERT INTO comment VALUES('c', 'x', 'hello')
sync
rights of b: read
b: DELETE FROM comment; DELETE FROM note
sync
all: SELECT title FROM note => of a
all: SELECT body FROM comment => hello

== A unique key that a refused row had is free
given CREATE TABLE tag(id TEXT PRIMARY KEY, name TEXT UNIQUE);
rights of b: read, write note comment
b: INSERT INTO tag VALUES('b', 'work')
a: INSERT INTO tag VALUES('a', 'work')
sync
all: SELECT id FROM tag => a
refused of b: => tag b

== A counter that may not be counted goes back, and the additions are kept
given CREATE TABLE tally(id TEXT PRIMARY KEY, n INTEGER);
rule of a: tally.n counter
a: INSERT INTO tally VALUES('x', 10)
sync
rights of b: read
b: UPDATE tally SET n = n + 5
sync
b: UPDATE tally SET n = n + 3
a: UPDATE tally SET n = n + 1
sync
all: SELECT n FROM tally => 11
refused of b: => tally x
rights of b: read, write
a: UPDATE tally SET n = n + 1
b: UPDATE tally SET n = n + 100
sync
all: SELECT n FROM tally => 112
b retries
sync
all: SELECT n FROM tally => 120

== A column that was never written shows its default again
a: INSERT INTO note(id, title) VALUES('x', 'of a')
sync
a migrates: ALTER TABLE note ADD COLUMN color TEXT DEFAULT 'grey'
b migrates: ALTER TABLE note ADD COLUMN color TEXT DEFAULT 'grey'
sync
rights of b: read
b: UPDATE note SET color = 'red'
sync
all: SELECT title, color FROM note => of a grey

== A device that was restored has its change refused again
a: INSERT INTO note VALUES('x', 'of a', 1)
sync
rights of b: read
b is offline
b: UPDATE note SET title = 'of b'
b is kept
b is online
sync
b is restored
sync
all: SELECT title FROM note => of a
refused of b: => note x

== What a restored hub has lost is brought again by who may bring it
a: INSERT INTO note VALUES('x', 'old', 1)
sync
hub is kept
a: UPDATE note SET title = 'new'
sync
a is offline
hub is restored
sync
b: SELECT title FROM note => new
c: SELECT title FROM note => new
rights of b: read, write, own
a is online
sync
all: SELECT title FROM note => new

== Who may only bring its own does not bring what others wrote, and it comes from them
a: INSERT INTO note VALUES('x', 'old', 1)
sync
hub is kept
a: UPDATE note SET title = 'new'
sync
a is offline
rights of b: read, write, own
rights of c: read, write, own
hub is restored
sync
b: SELECT title FROM note => old
c: SELECT title FROM note => old
a is online
sync
all: SELECT title FROM note => new
