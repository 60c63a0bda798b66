# Unique keys: every device shows the same rows, and what is not shown is parked with its reason.

given CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, color TEXT);
given CREATE TABLE note(id INTEGER PRIMARY KEY, tag INTEGER REFERENCES tag(id), text TEXT);

== The tag 'work' made twice, each with notes: one tag, all notes
a: INSERT INTO tag VALUES(1, 'work', 'red'); INSERT INTO note VALUES(1, 1, 'of a')
b: INSERT INTO tag VALUES(1, 'work', 'blue'); INSERT INTO note VALUES(1, 1, 'of b')
sync
all: SELECT name, color, text FROM note JOIN tag ON tag.id = tag ORDER BY text => work red of a | work red of b
parked: => tag unique claim

== … when the shown one is deleted, so is the one that nobody could see
a: INSERT INTO tag VALUES(1, 'work', 'red'); INSERT INTO note VALUES(1, 1, 'of a')
b: INSERT INTO tag VALUES(1, 'work', 'blue')
sync
a: UPDATE note SET tag = NULL; DELETE FROM tag
sync
all: SELECT count(*) FROM tag => 0
parked: =>

== … when the hidden one is renamed elsewhere, it is shown with its notes
c is offline
a: INSERT INTO tag VALUES(1, 'work', 'red')
b is offline
b: INSERT INTO tag VALUES(1, 'work', 'blue'); INSERT INTO note VALUES(1, 1, 'of b')
sync
b: UPDATE tag SET name = 'play'
b is online
c is online
sync
all: SELECT name, color FROM tag ORDER BY name => play blue | work red
all: SELECT text, name FROM note JOIN tag ON tag.id = tag => of b play
parked: =>

== Two unique values swapped in one transaction
a: INSERT INTO tag VALUES(1, 'x', ''), (2, 'y', '')
sync
a: UPDATE tag SET name = 'tmp' WHERE id = 1; UPDATE tag SET name = 'x' WHERE id = 2;
    UPDATE tag SET name = 'y' WHERE id = 1
sync
all: SELECT id, name FROM tag ORDER BY id => 1 y | 2 x
parked: =>

== A chain of names, each taking the next one's
a: INSERT INTO tag VALUES(1, 'a', ''), (2, 'b', ''), (3, 'c', '')
sync
a: UPDATE tag SET name = 'd' WHERE id = 3; UPDATE tag SET name = 'c' WHERE id = 2;
    UPDATE tag SET name = 'b' WHERE id = 1
sync
all: SELECT id, name FROM tag ORDER BY id => 1 b | 2 c | 3 d
parked: =>

== A composite key
given CREATE TABLE seat(id INTEGER PRIMARY KEY, line INT, place INT, who TEXT, UNIQUE(line, place));
a: INSERT INTO seat VALUES(1, 1, 1, 'Ann')
b: INSERT INTO seat VALUES(1, 1, 1, 'Bob'), (2, 1, 2, 'Bill')
sync
all: SELECT line, place, who FROM seat ORDER BY place => 1 1 Ann | 1 2 Bill
parked: => seat unique claim

== NULL claims nothing
a: INSERT INTO tag VALUES(1, NULL, 'red')
b: INSERT INTO tag VALUES(1, NULL, 'blue')
sync
all: SELECT color FROM tag ORDER BY color => blue | red

== NOCASE: 'Work' and 'work' are one
given CREATE TABLE label(id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE);
a: INSERT INTO label VALUES(1, 'Work')
b: INSERT INTO label VALUES(1, 'work')
sync
all: SELECT name FROM label => Work
parked: => label unique claim

== A primary key under NOCASE is one row, however it is written
given CREATE TABLE account(name TEXT PRIMARY KEY COLLATE NOCASE, balance INT) WITHOUT ROWID;
a: INSERT INTO account VALUES('bob', 1)
sync
a: UPDATE account SET name = 'Bob'
sync
all: SELECT name, balance FROM account => Bob 1

== An index over a part of the rows
given CREATE TABLE task(id INTEGER PRIMARY KEY, name TEXT, done INT);
    CREATE UNIQUE INDEX open_task ON task(name) WHERE NOT done;
a: INSERT INTO task VALUES(1, 'pay', 0)
b: INSERT INTO task VALUES(1, 'pay', 1)
sync
all: SELECT name, done FROM task ORDER BY done => pay 0 | pay 1
parked: =>

== … what is done to the shown row is done to the one behind it, which comes back when it may
given CREATE TABLE task(id INTEGER PRIMARY KEY, name TEXT, done INT, who TEXT);
    CREATE UNIQUE INDEX open_task ON task(name) WHERE NOT done;
a: INSERT INTO task VALUES(1, 'pay', 0, 'Ann')
b: INSERT INTO task VALUES(1, 'pay', 0, 'Bob')
sync
all: SELECT who FROM task => Ann
parked: => task unique claim
a: UPDATE task SET done = 1
sync
all: SELECT who, done FROM task ORDER BY who => Ann 1 | Bob 1
parked: =>

== An index over an expression
given CREATE TABLE user(id INTEGER PRIMARY KEY, mail TEXT); CREATE UNIQUE INDEX one_mail ON user(lower(mail));
a: INSERT INTO user VALUES(1, 'ann@x.org')
b: INSERT INTO user VALUES(1, 'ANN@x.org')
sync
all: SELECT mail FROM user => ann@x.org
parked: => user unique claim

== INSERT OR REPLACE removes the row that it replaces, everywhere
a: INSERT INTO tag VALUES(1, 'work', 'red')
sync
b: INSERT OR REPLACE INTO tag VALUES(2, 'work', 'blue')
sync
all: SELECT name, color FROM tag => work blue
parked: =>

== Folders of one name in folders of one name
given CREATE TABLE folder(id INTEGER PRIMARY KEY, parent INT REFERENCES folder(id), name TEXT, UNIQUE(parent, name));
a: INSERT INTO folder VALUES(1, NULL, 'top')
sync
a: INSERT INTO folder VALUES(2, 1, 'x'), (3, 2, 'y')
b: INSERT INTO folder VALUES(2, 1, 'x'), (3, 2, 'z')
sync
all: SELECT f.name, p.name FROM folder f JOIN folder p ON p.id = f.parent ORDER BY 1 => x top | y x | z x

== What is inserted under a name belongs to the row that is shown there, whatever was there before
given CREATE TABLE product(id INTEGER PRIMARY KEY, sku TEXT UNIQUE);
given CREATE TABLE stock(place TEXT, product INT REFERENCES product(id), n INT, PRIMARY KEY(place, product));
b is offline
a: INSERT INTO product VALUES(1, 's')
sync
c is offline
c: UPDATE product SET sku = 't'
b: INSERT INTO product VALUES(1, 's'); INSERT INTO stock VALUES('x', 1, 5)
b is online
sync
a: SELECT place, sku, n FROM stock JOIN product ON id = product => x s 5
a: DELETE FROM stock; INSERT INTO stock VALUES('x', 1, 7)
c is online
sync
all: SELECT place, sku, n FROM stock JOIN product ON id = product => x t 7

== A row that waited under a key that is inserted anew is in the log
given CREATE TABLE people(handle TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, about TEXT);
a: INSERT INTO people VALUES('U9', 'first')
b: INSERT INTO people VALUES('u9', 'second')
sync
all: SELECT handle, about FROM people => U9 first
parked: => people unique claim
log of a: => 0
a: DELETE FROM people; INSERT INTO people VALUES('u9', 'third')
sync
all: SELECT handle, about FROM people => u9 third
parked: =>
log of a: => 1
