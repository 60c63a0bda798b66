"""An application of one device: writes its database file with plain SQL, and notes what was committed.

usage: writer.py FILE DEVICE SECONDS NOTES
"""

import json
import random
import sqlite3
import sys
import time

file, device, seconds, notes = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
number = "ABCD".index(device)
random.seed(number)
db = sqlite3.connect(file, timeout=60, isolation_level=None)
db.execute("PRAGMA foreign_keys = ON")
note_file = open(notes, "a")
OWN_COLUMN = ["Composer", "Milliseconds", "Bytes", "UnitPrice"][number]


def transaction(statements, **note):
    db.execute("BEGIN IMMEDIATE")
    try:
        statements()
        db.execute("COMMIT")
    except sqlite3.IntegrityError:
        # Another device's row is in the way (a parent that is gone): the application gives up.
        db.execute("ROLLBACK")
        return
    note_file.write(json.dumps(note) + "\n")
    note_file.flush()


def insert_family(n):
    """A new artist with an album and two tracks, under integers that other devices use as well."""
    name = f"{device}-{n}"

    def statements():
        artist = db.execute("INSERT INTO Artist(Name) VALUES (?)", (f"artist {name}",)).lastrowid
        album = db.execute("INSERT INTO Album(Title, ArtistId) VALUES (?, ?)", (f"album {name}", artist)).lastrowid
        for side in "ab":
            db.execute(
                "INSERT INTO Track(Name, AlbumId, MediaTypeId, Milliseconds, UnitPrice) VALUES (?, ?, 1, 1000, 0.99)",
                (f"track {name}{side}", album),
            )

    transaction(statements, did="family", name=name)


def update_own_row(n):
    track = random.randrange(200, 3400) // 4 * 4 + number
    value = f"composer {device}-{n}"
    transaction(
        lambda: db.execute("UPDATE Track SET Composer = ? WHERE TrackId = ?", (value, track)),
        did="cell", track=track, column="Composer", value=value,
    )


def update_own_column(n):
    track = random.randrange(100, 120)
    value = f"composer {device}-{n}" if number == 0 else n
    transaction(
        lambda: db.execute(f"UPDATE Track SET {OWN_COLUMN} = ? WHERE TrackId = ?", (value, track)),
        did="cell", track=track, column=OWN_COLUMN, value=value,
    )


def update_same_cell(n):
    track = random.randrange(1, 20)
    value = f"name {device}-{n}"
    transaction(
        lambda: db.execute("UPDATE Track SET Name = ? WHERE TrackId = ?", (value, track)),
        did="contended", track=track, value=value,
    )


def delete_or_update_line(n):
    line = n % 60 + 1
    if device == "D":
        transaction(lambda: db.execute("DELETE FROM InvoiceLine WHERE InvoiceLineId = ?", (line,)), did="delete", line=line)
    else:
        transaction(
            lambda: db.execute("UPDATE InvoiceLine SET Quantity = Quantity + 1 WHERE InvoiceLineId = ?", (line,)),
            did="line", line=line,
        )


def toggle_playlist(n):
    """A natural key that every device adds and removes."""
    track = random.randrange(1, 30)
    if random.random() < 0.5:
        transaction(lambda: db.execute("INSERT OR IGNORE INTO PlaylistTrack VALUES (18, ?)", (track,)), did="join")
    else:
        transaction(
            lambda: db.execute("DELETE FROM PlaylistTrack WHERE PlaylistId = 18 AND TrackId = ?", (track,)), did="leave"
        )


WORK = [insert_family, update_own_row, update_own_row, update_own_column, update_same_cell, delete_or_update_line, toggle_playlist]
end = time.monotonic() + seconds
n = 0
while time.monotonic() < end:
    n += 1
    random.choice(WORK)(n)
    time.sleep(0.004)
    if device == "B" and n == 100:

        def bulk():
            db.executemany(
                "INSERT INTO Track(Name, AlbumId, MediaTypeId, Milliseconds, UnitPrice) VALUES (?, ?, 1, 1, 0.5)",
                ((f"bulk {i}", i % 300 + 1) for i in range(20000)),
            )

        transaction(bulk, did="bulk", rows=20000)
print(n)
