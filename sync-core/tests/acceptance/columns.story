# Columns that merge: what concurrent writes make of them, and what a plain write means.

given CREATE TABLE day(name TEXT PRIMARY KEY, visits INT, best INT, first INT, tags TEXT);

== counter: what each device adds adds up
a: INSERT INTO day(name, visits) VALUES('mon', 10)
rule of a: day.visits counter
sync
a: UPDATE day SET visits = visits + 1
b: UPDATE day SET visits = visits + 2
c: UPDATE day SET visits = visits - 4
sync
all: SELECT visits FROM day => 9
log of hub: => 0

== counter: two upserts of one key add up as well
rule of a: day.visits counter
sync
a: INSERT INTO day(name, visits) VALUES('mon', 1) ON CONFLICT DO UPDATE SET visits = visits + 1
b: INSERT INTO day(name, visits) VALUES('mon', 1) ON CONFLICT DO UPDATE SET visits = visits + 1
sync
all: SELECT name, visits FROM day => mon 2

== counter: a plain number is the difference that it makes
a: INSERT INTO day(name, visits) VALUES('mon', 10)
rule of a: day.visits counter
sync
a: UPDATE day SET visits = 0
b: UPDATE day SET visits = visits + 3
sync
all: SELECT visits FROM day => 3

== counter: NULL is a reset, and what did not know of it falls away
a: INSERT INTO day(name, visits) VALUES('mon', 10)
rule of a: day.visits counter
sync
a: UPDATE day SET visits = NULL
b: UPDATE day SET visits = visits + 3
sync
all: SELECT visits FROM day => NULL
b: UPDATE day SET visits = 5
sync
all: SELECT visits FROM day => 5

== counter: a row that is deleted and inserted again begins anew
a: INSERT INTO day(name, visits) VALUES('mon', 10)
rule of a: day.visits counter
sync
b: UPDATE day SET visits = visits + 5
sync
a: DELETE FROM day
sync
b: INSERT INTO day(name, visits) VALUES('mon', 1)
sync
all: SELECT visits FROM day => 1

== counter: a row that is replaced begins anew, also where others deleted it meanwhile
a: INSERT INTO day(name, visits) VALUES('mon', 10)
rule of a: day.visits counter
sync
a: DELETE FROM day
b: INSERT OR REPLACE INTO day(name, visits) VALUES('mon', 1)
sync
all: SELECT visits FROM day => 1
a: UPDATE day SET visits = visits + 2
sync
b: INSERT OR REPLACE INTO day(name, visits) VALUES('mon', 7)
sync
all: SELECT visits FROM day => 7

== counter: a device that hears of the rule late has lost nothing
b is offline
a: INSERT INTO day(name, visits) VALUES('mon', 10)
rule of a: day.visits counter
a: UPDATE day SET visits = visits + 1
b is online
sync
b: UPDATE day SET visits = visits + 1
a: UPDATE day SET visits = visits + 1
sync
all: SELECT visits FROM day => 13

== max and min: the largest and the smallest that anybody wrote
a: INSERT INTO day(name, best, first) VALUES('mon', 5, 5)
rule of a: day.best max
rule of a: day.first min
sync
a: UPDATE day SET best = 9, first = 4
b: UPDATE day SET best = 7, first = 2
sync
all: SELECT best, first FROM day => 9 2

== set: what somebody added stays, although another removed it without having seen that
a: INSERT INTO day(name, tags) VALUES('mon', '["x"]')
rule of a: day.tags set
sync
a: UPDATE day SET tags = '["x","y"]'
b: UPDATE day SET tags = '["z"]'
sync
all: SELECT tags FROM day => ["y","z"]
a: UPDATE day SET tags = '[]'
sync
all: SELECT tags FROM day => []
