# Files that are killed, copied and restored.

given CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);

== What was committed is there after an engine is killed
a: INSERT INTO note(title) VALUES('x')
a restarts
sync
hub restarts
a: INSERT INTO note(title) VALUES('y')
sync
all: SELECT title FROM note ORDER BY 1 => x | y

== A restored file gets back what it had sent, and keeps what it writes next
a: INSERT INTO note(title) VALUES('before')
sync
a is kept
a: INSERT INTO note(title) VALUES('sent')
sync
a is restored
a: INSERT INTO note(title) VALUES('after')
sync
all: SELECT title FROM note ORDER BY 1 => after | before | sent

== A file and its copy both go on
a: INSERT INTO note(title) VALUES('x')
sync
a is copied to c
a: INSERT INTO note(title) VALUES('of a')
c: INSERT INTO note(title) VALUES('of c')
sync
all: SELECT title FROM note ORDER BY 1 => of a | of c | x

== A restored hub gets back what any device has
a: INSERT INTO note(title) VALUES('x')
sync
hub is kept
a: INSERT INTO note(title) VALUES('y')
b: UPDATE note SET title = 'x2' WHERE title = 'x'
sync
hub is restored
b: INSERT INTO note(title) VALUES('z')
sync
all: SELECT title FROM note ORDER BY 1 => x2 | y | z

== A hub that is restored twice to one backup gets the same back twice
a: INSERT INTO note(title) VALUES('of a')
b is kept
hub is kept
b: INSERT INTO note(title) VALUES('of b')
sync
b is restored
hub is restored
sync
all: SELECT title FROM note ORDER BY 1 => of a | of b
b is restored
hub is restored
sync
all: SELECT title FROM note ORDER BY 1 => of a | of b

== A template on many devices is there once
given INSERT INTO note VALUES(1, 'welcome'), (2, 'read me');
a: UPDATE note SET title = 'read' WHERE id = 2
sync
all: SELECT id, title FROM note ORDER BY id => 1 welcome | 2 read
c: SELECT count(*) FROM note => 2
