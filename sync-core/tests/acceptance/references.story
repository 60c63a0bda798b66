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

== A membership that was deleted stays so, though its person was renumbered elsewhere
given CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL);
given CREATE TABLE member(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
    tag TEXT NOT NULL, note TEXT, PRIMARY KEY(person, tag)) WITHOUT ROWID;
a: INSERT INTO person VALUES(1, 'ann'); INSERT INTO member VALUES(1, 'x', 'w3'), (1, 'y', 'w4')
sync
a: DELETE FROM member WHERE tag = 'x'; UPDATE member SET note = 'new'
b: UPDATE person SET id = id + 10
sync
all: SELECT mark, tag, note FROM member JOIN person ON person.id = person => ann y new

== A membership is renumbered and written in one statement
given CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL);
given CREATE TABLE member(person INTEGER NOT NULL REFERENCES person(id) DEFERRABLE INITIALLY DEFERRED,
    tag TEXT NOT NULL, note TEXT, role TEXT, PRIMARY KEY(person, tag)) WITHOUT ROWID;
a: INSERT INTO person VALUES(1, 'ann'); INSERT INTO member VALUES(1, 'x', 'old', 'old')
sync
a: UPDATE member SET note = 'of a', role = 'of a'
b: UPDATE person SET id = 11; UPDATE member SET person = 11, note = 'of b'
sync
all: SELECT mark, tag, note, role FROM member JOIN person ON person.id = person => ann x of b of a

== A membership that is deleted and made again is a new one, wherever its person has gone
given CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL);
given CREATE TABLE member(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
    tag TEXT NOT NULL, note TEXT, role TEXT, PRIMARY KEY(person, tag)) WITHOUT ROWID;
a: INSERT INTO person VALUES(1, 'ann'); INSERT INTO member VALUES(1, 'x', 'old', 'old')
sync
a: UPDATE member SET role = 'of a'
b: DELETE FROM member; UPDATE person SET id = 11; INSERT INTO member(person, tag, note) VALUES(11, 'x', 'of b')
sync
all: SELECT mark, tag, note, role FROM member JOIN person ON person.id = person => ann x of b NULL

== Two people exchange their integers, and their memberships stay theirs
given CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL);
given CREATE TABLE member(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
    tag TEXT NOT NULL, note TEXT, PRIMARY KEY(person, tag)) WITHOUT ROWID;
a: INSERT INTO person VALUES(1, 'ann'), (2, 'bob'); INSERT INTO member VALUES(1, 'x', 'of ann'), (2, 'x', 'of bob'), (1, 'y', '')
sync
a: UPDATE member SET note = 'new of bob' WHERE person = 2; DELETE FROM member WHERE tag = 'y'
b: UPDATE person SET id = -1 WHERE id = 1; UPDATE person SET id = 1 WHERE id = 2; UPDATE person SET id = 2 WHERE id = -1
sync
all: SELECT mark, tag, note FROM member JOIN person ON person.id = person ORDER BY 1 => ann x of ann | bob x new of bob

== A membership of a person known by name goes on when the name is another one
given CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
given CREATE TABLE member(person TEXT NOT NULL REFERENCES person(name) ON DELETE CASCADE ON UPDATE CASCADE,
    tag TEXT NOT NULL, note TEXT, PRIMARY KEY(person, tag)) WITHOUT ROWID;
a: INSERT INTO person VALUES(1, 'ann'); INSERT INTO member VALUES('ann', 'x', 'old'), ('ann', 'y', 'old')
sync
a: DELETE FROM member WHERE tag = 'x'; UPDATE member SET note = 'new'
b: UPDATE person SET name = 'anna'
sync
all: SELECT person, tag, note FROM member => anna y new
a: UPDATE member SET note = 'newer'
b: UPDATE person SET name = 'anne'
sync
all: SELECT person, tag, note FROM member => anne y newer

== A companion row goes on with its person
given CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL);
given CREATE TABLE profile(person INTEGER PRIMARY KEY REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE, bio TEXT, photo TEXT);
a: INSERT INTO person VALUES(1, 'ann'), (2, 'bob'); INSERT INTO profile VALUES(1, 'old', 'old'), (2, 'old', 'old')
sync
a: DELETE FROM profile WHERE person = 2; UPDATE profile SET bio = 'of a'
b: UPDATE person SET id = id + 10; UPDATE profile SET photo = 'of b' WHERE person = 11
sync
all: SELECT mark, bio, photo FROM profile JOIN person ON person.id = person => ann of a of b

== What is in the name of a tag that lost goes on when the other tag is renumbered
given CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
given CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);
given CREATE TABLE note_tag(note INTEGER NOT NULL REFERENCES note(id) ON DELETE CASCADE ON UPDATE CASCADE,
    tag INTEGER NOT NULL REFERENCES tag(id) ON DELETE CASCADE ON UPDATE CASCADE, why TEXT, PRIMARY KEY(note, tag)) WITHOUT ROWID;
a: INSERT INTO note VALUES(1, 'n'), (2, 'm')
sync
a: INSERT INTO tag VALUES(1, 'work'); INSERT INTO note_tag VALUES(1, 1, 'of a')
b: INSERT INTO tag VALUES(5, 'work'); INSERT INTO note_tag VALUES(2, 5, 'of b')
sync
all: SELECT text, name, why FROM note_tag JOIN note ON note.id = note JOIN tag ON tag.id = tag ORDER BY 1 => m work of b | n work of a
a: UPDATE note_tag SET why = 'new' WHERE why = 'of b'; DELETE FROM note_tag WHERE why = 'of a'
b: UPDATE tag SET id = 70; UPDATE note SET id = id + 100
sync
all: SELECT text, name, why FROM note_tag JOIN note ON note.id = note JOIN tag ON tag.id = tag => m work new
parked: => tag unique claim

== Rows that refer to a membership follow it
given CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL);
given CREATE TABLE member(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
    tag TEXT NOT NULL, note TEXT, PRIMARY KEY(person, tag)) WITHOUT ROWID;
given CREATE TABLE badge(person INTEGER NOT NULL, tag TEXT NOT NULL, level TEXT, note TEXT, PRIMARY KEY(person, tag, level),
    FOREIGN KEY(person, tag) REFERENCES member(person, tag) ON DELETE CASCADE ON UPDATE CASCADE) WITHOUT ROWID;
a: INSERT INTO person VALUES(1, 'ann'); INSERT INTO member VALUES(1, 'x', ''); INSERT INTO badge VALUES(1, 'x', 'gold', 'old'), (1, 'x', 'tin', '')
sync
a: UPDATE badge SET note = 'new'; DELETE FROM badge WHERE level = 'tin'
b: UPDATE person SET id = 11
sync
all: SELECT mark, tag, level, note FROM badge JOIN person ON person.id = person => ann x gold new
a: DELETE FROM member
b: UPDATE person SET id = 12
sync
all: SELECT (SELECT count(*) FROM member), (SELECT count(*) FROM badge) => 0 0

== What merges in a membership is counted once when its person is renumbered
given CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL);
given CREATE TABLE member(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
    tag TEXT NOT NULL, points INT, PRIMARY KEY(person, tag)) WITHOUT ROWID;
a: INSERT INTO person VALUES(1, 'ann'); INSERT INTO member VALUES(1, 'x', 10)
rule of a: member.points counter
sync
a: UPDATE member SET points = points + 5
b: UPDATE member SET points = points + 2; UPDATE person SET id = 11; UPDATE member SET points = points + 1
c: UPDATE person SET id = 12
sync
all: SELECT mark, tag, points FROM member JOIN person ON person.id = person => ann x 18
b: UPDATE person SET id = 13; UPDATE member SET points = points + 1
sync
all: SELECT mark, tag, points FROM member JOIN person ON person.id = person => ann x 19

== A file that is restored after a renumbering has its memberships once
given CREATE TABLE person(id INTEGER PRIMARY KEY, mark TEXT NOT NULL);
given CREATE TABLE member(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
    tag TEXT NOT NULL, note TEXT, PRIMARY KEY(person, tag)) WITHOUT ROWID;
a: INSERT INTO person VALUES(1, 'ann'); INSERT INTO member VALUES(1, 'x', 'old')
sync
a is kept
a: UPDATE person SET id = 11; UPDATE member SET note = 'lost'
b: UPDATE person SET id = 21
sync
a is restored
a: UPDATE person SET id = 31; INSERT INTO member VALUES(31, 'y', 'new')
sync
all: SELECT mark, tag, note FROM member JOIN person ON person.id = person ORDER BY 2 => ann x lost | ann y new
