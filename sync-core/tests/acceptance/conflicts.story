# Two devices write the same thing without knowing of each other.

given CREATE TABLE note(id TEXT PRIMARY KEY, title TEXT, body TEXT);

== Different columns of one row: both writes stay
a: INSERT INTO note VALUES('x', 'old', 'old')
sync
a: UPDATE note SET title = 'of a'
b: UPDATE note SET body = 'of b'
sync
all: SELECT title, body FROM note => of a of b
log of hub: => 0

== One column: the later write stays, and the other one is in the log
a: INSERT INTO note VALUES('x', 'old', 'old')
sync
a: UPDATE note SET title = 'of a'
b: UPDATE note SET title = 'of b'
sync
all: SELECT title FROM note => of b
log of hub: => 1

== Who has seen a write and writes over it is in no conflict
a: INSERT INTO note VALUES('x', 'old', 'old')
sync
a: UPDATE note SET title = 'of a'
sync
b: UPDATE note SET title = 'of b'
sync
all: SELECT title FROM note => of b
log of hub: => 0

== A write over a value from the future, knowingly, stays
clock of a: 1 days
a: INSERT INTO note VALUES('x', 'tomorrow', '')
sync
b: UPDATE note SET title = 'now'
sync
all: SELECT title FROM note => now

== hub_wins: what the hub had stays, whoever was later
a: INSERT INTO note VALUES('x', 'old', 'old')
rule of a: note.title hub_wins
sync
b is offline
b: UPDATE note SET title = 'of b'
a: UPDATE note SET title = 'of a'
sync
b: UPDATE note SET title = 'of b again'
b is online
sync
all: SELECT title FROM note => of a
log of hub: => 1

== client_wins: what comes to the hub stays, although it is the earlier write
a: INSERT INTO note VALUES('x', 'old', 'old')
rule of a: note client_wins
sync
b is offline
b: UPDATE note SET title = 'of b'
a: UPDATE note SET title = 'of a'
sync
b is online
sync
all: SELECT title FROM note => of b

== A rule of one column leaves the others alone
a: INSERT INTO note VALUES('x', 'old', 'old')
rule of a: note.title hub_wins
sync
b is offline
a: UPDATE note SET title = 'of a', body = 'of a'
b: UPDATE note SET title = 'of b', body = 'of b'
sync
b is online
sync
all: SELECT title, body FROM note => of a of b

== A delete wins over a change that did not know of it
a: INSERT INTO note VALUES('x', 'old', 'old')
sync
a: DELETE FROM note
b: UPDATE note SET title = 'of b'
sync
all: SELECT count(*) FROM note => 0
log of hub: => 1

== on_delete last_writer_wins: a later change brings the row back, whole
a: INSERT INTO note VALUES('x', 'old', 'old')
rule of a: note on_delete last_writer_wins
sync
a: DELETE FROM note
b: UPDATE note SET title = 'of b'
sync
all: SELECT title, body FROM note => of b old

== on_delete last_writer_wins: an earlier change does not
a: INSERT INTO note VALUES('x', 'old', 'old')
rule of a: note on_delete last_writer_wins
sync
b: UPDATE note SET title = 'of b'
a: DELETE FROM note
sync
all: SELECT count(*) FROM note => 0

== Plain SQL sets a rule as well
a: INSERT INTO note VALUES('x', 'old', 'old')
rule of a: note.body hub_wins
sync
b: UPDATE __pocketsync_rules SET strategy = 'client_wins' WHERE col = 'body'
sync
b is offline
b: UPDATE note SET body = 'of b'
a: UPDATE note SET body = 'of a'
sync
b is online
sync
all: SELECT body FROM note => of b

== Two changes of one device to one row are its history, not a conflict
a: INSERT INTO note VALUES('x', '1', '')
a: UPDATE note SET title = '2'
sync
a: UPDATE note SET title = '3'
a: UPDATE note SET title = '4'
sync
all: SELECT title FROM note => 4
log of hub: => 0

== The same value twice is no conflict
a: INSERT INTO note VALUES('x', 'old', '')
sync
a: UPDATE note SET title = 'same'
b: UPDATE note SET title = 'same'
sync
all: SELECT title FROM note => same
log of hub: => 0
