# Foreign keys: what the declared action says, whoever hears of what first.

given CREATE TABLE artist(id INTEGER PRIMARY KEY, name TEXT);

== A child that comes before its parent waits for it
given CREATE TABLE album(id INTEGER PRIMARY KEY, artist INT REFERENCES artist(id), title TEXT);
a: INSERT INTO artist VALUES(1, 'X'); INSERT INTO album VALUES(1, 1, 'first')
b: INSERT INTO artist VALUES(1, 'Y'); INSERT INTO album VALUES(1, 1, 'second')
sync
all: SELECT title, name FROM album JOIN artist ON artist.id = artist ORDER BY 1 => first X | second Y
parked: =>

== NO ACTION: the artist comes back for the album that was added meanwhile
given CREATE TABLE album(id INTEGER PRIMARY KEY, artist INT REFERENCES artist(id), title TEXT);
a: INSERT INTO artist VALUES(1, 'X')
sync
a: DELETE FROM artist
b: INSERT INTO album VALUES(1, 1, 'late')
sync
all: SELECT title, name FROM album JOIN artist ON artist.id = artist => late X

== RESTRICT: so it does
given CREATE TABLE album(id INTEGER PRIMARY KEY, artist INT REFERENCES artist(id) ON DELETE RESTRICT, title TEXT);
a: INSERT INTO artist VALUES(1, 'X')
sync
a: DELETE FROM artist
b: INSERT INTO album VALUES(1, 1, 'late')
sync
all: SELECT title, name FROM album JOIN artist ON artist.id = artist => late X

== CASCADE: the album goes with the artist
given CREATE TABLE album(id INTEGER PRIMARY KEY, artist INT REFERENCES artist(id) ON DELETE CASCADE, title TEXT);
a: INSERT INTO artist VALUES(1, 'X')
sync
a: DELETE FROM artist
b: INSERT INTO album VALUES(1, 1, 'late')
sync
all: SELECT (SELECT count(*) FROM artist), (SELECT count(*) FROM album) => 0 0

== SET NULL: the album stays without one
given CREATE TABLE album(id INTEGER PRIMARY KEY, artist INT REFERENCES artist(id) ON DELETE SET NULL, title TEXT);
a: INSERT INTO artist VALUES(1, 'X')
sync
a: DELETE FROM artist
b: INSERT INTO album VALUES(1, 1, 'late')
sync
all: SELECT title, artist FROM album => late NULL

== SET NULL of a column that is NOT NULL: the artist comes back
given CREATE TABLE album(id INTEGER PRIMARY KEY, artist INT NOT NULL REFERENCES artist(id) ON DELETE SET NULL, title TEXT);
a: INSERT INTO artist VALUES(1, 'X')
sync
a: DELETE FROM artist
b: INSERT INTO album VALUES(1, 1, 'late')
sync
all: SELECT title, name FROM album JOIN artist ON artist.id = artist => late X

== SET DEFAULT to a declared key
given CREATE TABLE genre(name TEXT PRIMARY KEY); INSERT INTO genre VALUES('other'), ('rock');
given CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT,
    genre TEXT DEFAULT 'other' REFERENCES genre(name) ON DELETE SET DEFAULT);
sync
a: DELETE FROM genre WHERE name = 'rock'
b: INSERT INTO song VALUES(1, 'late', 'rock')
sync
all: SELECT title, genre FROM song => late other

== SET DEFAULT to an integer, which each device has for itself: the artist comes back
given CREATE TABLE album(id INTEGER PRIMARY KEY, title TEXT,
    artist INT DEFAULT 2 REFERENCES artist(id) ON DELETE SET DEFAULT);
a: INSERT INTO artist VALUES(1, 'X'), (2, 'Nobody')
sync
a: DELETE FROM artist WHERE id = 1
b: INSERT INTO album VALUES(1, 'late', 1)
sync
all: SELECT title, name FROM album JOIN artist ON artist.id = artist => late X

== A track that may not be without its album keeps album and artist, although albums cascade
given CREATE TABLE album(id INTEGER PRIMARY KEY, artist INT REFERENCES artist(id) ON DELETE CASCADE, title TEXT);
given CREATE TABLE track(id INTEGER PRIMARY KEY, album INT NOT NULL REFERENCES album(id), title TEXT);
a: INSERT INTO artist VALUES(1, 'X'); INSERT INTO album VALUES(1, 1, 'one')
sync
a: PRAGMA foreign_keys = ON; DELETE FROM album; DELETE FROM artist
b: INSERT INTO track VALUES(1, 1, 'late')
sync
all: SELECT track.title, album.title, name FROM track JOIN album ON album.id = album JOIN artist ON artist.id = artist
    => late one X

== A reference to itself, all the way down
given CREATE TABLE folder(id INTEGER PRIMARY KEY, parent INT REFERENCES folder(id) ON DELETE CASCADE, name TEXT);
a: INSERT INTO folder VALUES(1, NULL, 'top'), (2, 1, 'mid')
sync
a: DELETE FROM folder WHERE id = 2; DELETE FROM folder WHERE id = 1
b: INSERT INTO folder VALUES(3, 2, 'low'), (4, 3, 'lowest')
sync
all: SELECT count(*) FROM folder => 0

== Rows that refer to each other, deferred
given CREATE TABLE hen(id INTEGER PRIMARY KEY, egg INT REFERENCES egg(id) DEFERRABLE INITIALLY DEFERRED);
given CREATE TABLE egg(id INTEGER PRIMARY KEY, hen INT REFERENCES hen(id) DEFERRABLE INITIALLY DEFERRED);
a: INSERT INTO hen VALUES(1, 1); INSERT INTO egg VALUES(1, 1)
sync
all: SELECT hen.id, egg.id FROM hen JOIN egg ON egg.hen = hen.id AND hen.egg = egg.id => 1 1
parked: =>

== A composite key
given CREATE TABLE place(line INT, seat INT, PRIMARY KEY(line, seat)); INSERT INTO place VALUES(1, 1), (1, 2);
given CREATE TABLE ticket(id INTEGER PRIMARY KEY, line INT, seat INT, who TEXT,
    FOREIGN KEY(line, seat) REFERENCES place(line, seat) ON DELETE SET NULL);
sync
a: DELETE FROM place WHERE seat = 2
b: INSERT INTO ticket VALUES(1, 1, 2, 'Ann'), (2, 1, 1, 'Bob')
sync
all: SELECT who, line, seat FROM ticket ORDER BY who => Ann NULL NULL | Bob 1 1

== The children of 'work' and of the other 'work' when one is deleted
given CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
given CREATE TABLE note(id INTEGER PRIMARY KEY, tag INT REFERENCES tag(id) ON DELETE SET NULL, text TEXT);
a: INSERT INTO tag VALUES(1, 'work'); INSERT INTO note VALUES(1, 1, 'of a')
b: INSERT INTO tag VALUES(1, 'work'); INSERT INTO note VALUES(1, 1, 'of b')
sync
a: UPDATE note SET tag = NULL; DELETE FROM tag
sync
all: SELECT text, tag FROM note ORDER BY text => of a NULL | of b NULL
parked: =>
