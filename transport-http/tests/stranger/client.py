"""A PocketSync client over HTTP, written from docs/protocol.md and docs/changeset-format.md alone.

    python3 client.py URL SCOPE [TOKEN] [--push TABLE COLUMN=TEXT]

Introduces itself as a new replica, pulls the whole scope, inserts one row if asked to, and prints what it
saw as JSON: {"rows": {table: [{column: value}, ...]}, "requests": n, "acknowledged": bool}. An Error that ends
the session is printed as {"error": code, "message": text}.
"""

import http.client
import json
import os
import struct
import sys
import time
import urllib.parse

FRAMES = "application/vnd.pocketsync.frames.v1"
NIL = bytes(16)


# --- Integers and parts (changeset-format.md, the beginning and section 2) ---


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint(((n << 1) ^ (n >> 63)) & (1 << 64) - 1)


def string(text):
    data = text.encode()
    return varint(len(data)) + data


def cursor(seq, stamp, within=b""):
    return varint(seq) + varint(stamp) + varint(len(within)) + within


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        piece = self.data[self.at : self.at + n]
        if len(piece) != n:
            raise ValueError("the bytes end too early")
        self.at += n
        return piece

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        n = shift = 0
        while True:
            byte = self.byte()
            n |= (byte & 0x7F) << shift
            if byte < 0x80:
                return n
            shift += 7

    def zigzag(self):
        n = self.varint()
        return n >> 1 ^ -(n & 1)

    def counted(self):
        return self.take(self.varint())

    def cursor(self):
        return self.varint(), self.varint(), self.counted()

    def lineage(self):
        return [(self.varint(), self.varint()) for _ in range(self.varint())]

    def holding(self):
        return {
            "replica": self.take(16),
            "cursor": self.cursor(),
            "lineage": self.lineage(),
            "counter": self.varint(),
            "hlc": self.varint(),
        }


# --- Changesets (changeset-format.md, section 4) ---


class Changeset:
    """Reads a changeset into {table: {row id: {"born":…, "died":…, "undone":…, "cells": {column: (version, value)}}}}."""

    def __init__(self, data):
        self.input = Reader(data)
        self.sites = [{"site": NIL, "row": 0, "ref": 0}]
        self.version = (0, NIL)
        self.id_site = 0

    def read(self):
        if self.input.byte() != 1:
            raise ValueError("another format")
        tables = {}
        for _ in range(self.input.varint()):
            name = self.input.counted().decode()
            columns = [self.input.counted().decode() for _ in range(self.input.varint())]
            self.columns = []
            rows = tables.setdefault(name, {})
            for _ in range(self.input.varint()):
                row_id, row = self.row(columns)
                rows[row_id] = row
        if self.input.at != len(self.input.data):
            raise ValueError("something follows the last table")
        return tables

    def site(self):
        number = self.input.varint()
        if number == len(self.sites):
            self.sites.append({"site": self.input.take(16), "row": 0, "ref": 0})
        return number

    def read_version(self, base):
        head = self.input.varint()
        has_counter, has_site = head & 2, head & 1
        head >>= 2
        clock, site = base
        ms = (clock >> 16) + (head >> 1 ^ -(head & 1))
        counter = clock & 0xFFFF if ms == clock >> 16 else 0
        if has_counter:
            counter += self.input.zigzag()
        if has_site:
            site = self.sites[self.site()]["site"]
        return (ms << 16 | counter, site)

    def row(self, columns):
        head = self.input.byte()
        row_id = self.row_id(head & 7)
        if head & 0x20:
            self.version = self.read_version(self.version)
        row = {"born": None, "died": None, "undone": None, "cells": {}}
        life = head >> 3 & 3
        if life in (1, 2):
            row["born" if life == 1 else "died"] = self.version
        elif life == 3:
            bits, first = self.input.byte(), True
            for bit, part in ((1, "born"), (2, "died"), (4, "undone")):
                if bits & bit:
                    row[part] = self.version if first else self.read_version(self.version)
                    first = False
        if head & 0x40:
            self.columns = self.column_set(len(columns))
        own = self.bitmap(len(self.columns)) if head & 0x80 else []
        base = self.version
        for at, column in enumerate(self.columns):
            version = self.version
            if at in own:
                version = base = self.read_version(base)
            row["cells"][columns[column]] = (version, self.value())
        return row_id, row

    def row_id(self, kind):
        if kind in (0, 1, 2):
            if kind == 2:
                self.id_site = self.site()
            known = self.sites[self.id_site]
            step = 1 if kind == 0 else self.input.varint() + 2 if kind == 1 else self.input.zigzag()
            known["row"] = (known["row"] + step) % (1 << 64)
            return ("surrogate", known["site"], known["row"])
        if kind == 3:
            return ("natural", self.value())
        if kind == 4:
            return ("natural", *[self.value() for _ in range(self.input.varint())])
        if kind == 5:
            return ("genesis", self.input.take(16))
        raise ValueError("an unknown kind of row id")

    def bitmap(self, bits):
        data = self.input.take((bits + 7) // 8)
        return [at for at in range(bits) if data[at // 8] >> at % 8 & 1]

    def column_set(self, columns):
        if columns <= 8:
            return self.bitmap(columns)
        count = self.input.varint()
        if count == columns:
            return list(range(columns))
        if count <= (columns + 7) // 8:
            chosen, after = [], 0
            for _ in range(count):
                chosen.append(after + self.input.varint())
                after = chosen[-1] + 1
            return chosen
        return self.bitmap(columns)

    def value(self):
        tag = self.input.byte()
        if tag <= 0x5F:
            return tag - 16
        if tag <= 0x9F:
            return self.input.take(tag - 0x60).decode()
        if tag <= 0xBF:
            return 80 + (tag - 0xA0) * 256 + self.input.byte()
        if tag <= 0xC7:
            return int.from_bytes(self.input.take(tag - 0xC0 + 1), "little", signed=True)
        if tag <= 0xCE:
            return float(int.from_bytes(self.input.take(tag - 0xC8 + 1), "little", signed=True))
        if tag == 0xD0:
            return None
        if tag == 0xD1:
            return struct.unpack("<d", self.input.take(8))[0]
        if tag == 0xD2:
            return self.input.counted().decode()
        if tag == 0xD3:
            return self.input.counted().hex()
        if tag == 0xD4:
            digits = self.input.take(16).hex()
            return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        if tag == 0xD5:
            known = self.sites[self.site()]
            known["ref"] = (known["ref"] + self.input.zigzag()) % (1 << 64)
            return f"row {known['site'].hex()} {known['ref']}"
        if tag == 0xD6:
            return f"row {[self.value() for _ in range(self.input.varint())]}"
        if tag == 0xD7:
            return f"row {self.input.take(16).hex()}"
        if tag == 0xD8:
            return self.value()
        raise ValueError("an unknown value")


def merge(known, tables):
    """The maximum of everything (protocol.md, section 3)."""
    for table, rows in tables.items():
        for row_id, news in rows.items():
            row = known.setdefault(table, {}).setdefault(
                row_id, {"born": None, "died": None, "undone": None, "cells": {}}
            )
            for part in ("born", "died", "undone"):
                row[part] = max(row[part], news[part], key=lambda version: version or (0, b""))
            for column, cell in news["cells"].items():
                if column not in row["cells"] or row["cells"][column][0] < cell[0]:
                    row["cells"][column] = cell


def shown(row):
    """The cells of a row that is alive; None for one that is not."""
    died, undone = row["died"], row["undone"]
    if died and undone and undone >= died:
        died = None
    if not row["born"] or (died and row["born"] <= died):
        return None
    return {column: value for column, (version, value) in row["cells"].items() if not died or version > died}


def one_inserted_row(table, column, text, site):
    """A changeset with one row: the first of `site`, in a table with an integer key."""
    name, data = column.encode(), text.encode()
    out = bytearray(b"\x01") + varint(1) + string(table) + varint(1) + varint(len(name)) + name + varint(1)
    out.append(2 | 1 << 3 | 1 << 5 | 1 << 6)  # a surrogate id, born, its version and columns follow
    out += varint(1) + site + zigzag(1)
    ms = int(time.time() * 1000)
    out += varint((ms << 1) << 2 | 1) + varint(1)  # later than 0 by ms, of site number 1
    out += b"\x01"  # column 0
    out += b"\xd2" + varint(len(data)) + data
    return bytes(out)


# --- Frames (changeset-format.md, section 1) over HTTP (protocol.md, section 6) ---


class Refused(Exception):
    pass


class Link:
    def __init__(self, url):
        self.url = urllib.parse.urlsplit(url)
        self.name = os.urandom(16).hex()
        self.up = self.down = self.requests = 0
        self.pieces, self.messages = b"", []
        self.max_frame = 256
        self.http = None

    def exchange(self, messages=(), wait_ms=0, end=False):
        frames = []
        for message in messages:
            size = self.max_frame - 1
            pieces = [message[at : at + size] for at in range(0, len(message), size)]
            frames += [b"\x00" + piece for piece in pieces[:-1]] + [b"\x01" + pieces[-1]]
        headers = {
            "Pocketsync-Link": self.name,
            "Pocketsync-Up": str(self.up),
            "Pocketsync-Down": str(self.down),
            "Pocketsync-Wait": str(wait_ms),
            "Content-Type": FRAMES,
            "Accept": FRAMES,
        }
        if end:
            headers["Pocketsync-End"] = "1"
        body = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
        answer, data = self.post(body, headers)
        if answer.headers["Content-Type"] != FRAMES:
            raise Refused(json.loads(data))
        if int(answer.headers["Pocketsync-Up"]) != self.up + len(frames):
            raise Refused({"code": "slow", "detail": "the hub did not take the frames"})
        self.up += len(frames)
        if int(answer.headers["Pocketsync-Down"]) != self.down:
            raise Refused({"code": "protocol", "detail": "other frames than were asked for"})
        rest = Reader(data)
        while rest.at < len(data):
            self.received(rest.take(struct.unpack(">I", rest.take(4))[0]))
            self.down += 1

    def post(self, body, headers):
        """Repeats the request until there is an answer."""
        for attempt in range(5):
            try:
                if self.http is None:
                    self.http = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=30)
                self.requests += 1
                self.http.request("POST", self.url.path or "/", body, headers)
                answer = self.http.getresponse()
                return answer, answer.read()
            except (OSError, http.client.HTTPException):
                self.http = None
                time.sleep(0.1 * 2**attempt)
        raise Refused({"code": "unreachable", "detail": "the hub does not answer"})

    def received(self, frame):
        self.pieces += frame[1:]
        if frame[0] == 1:
            self.messages.append(self.pieces)
            self.pieces = b""

    def next_message(self, to_send):
        """The next message. Once all are read that have come, a request asks for more, and takes along what is to be sent."""
        if not self.messages:
            self.exchange(to_send, wait_ms=10_000)
            to_send.clear()
        if not self.messages:
            raise Refused({"code": "timeout", "detail": "the hub says nothing"})
        return Reader(self.messages.pop(0))


# --- The session (protocol.md, sections 2 to 4) ---


def hello(scope, token, site, stamp, head):
    return (
        varint(0)
        + varint(1)
        + varint(1)
        + string(scope)
        + (b"\x00" if token is None else b"\x01" + string(token))
        + site
        + varint(1) + varint(1) + varint(stamp)  # one opening, from the number 1 on
        + cursor(*head)
        + varint(0)  # nothing is held of anyone
        + varint(1 << 20)
        + varint(1 << 20)
        + b"\x00"  # no compression
        + varint(int(time.time() * 1000))
    )


def sync(url, scope, token, push):
    link = Link(url)
    site, stamp = os.urandom(16), int.from_bytes(os.urandom(8), "little") | 1
    head = (1, stamp) if push else (0, 0)
    known, to_send, acknowledged, whole = {}, [hello(scope, token, site, stamp, head)], not push, False
    while not (whole and acknowledged):
        message = link.next_message(to_send)
        kind = message.varint()
        if kind == 1:
            message.varint(), message.take(16), message.lineage(), message.cursor()
            holding, resumes = message.holding(), message.cursor()
            link.max_frame = message.varint()
            assert holding["replica"] == site and holding["cursor"] == (0, 0, b""), "a new replica is known"
            held = resumes
            if push:
                body = one_inserted_row(*push, site)
                to_send.append(
                    varint(2) + cursor(0, 0) + cursor(1, stamp) + b"\x01" + varint(1) + varint(len(body)) + body
                )
        elif kind == 2:
            begins, ends, last = message.cursor(), message.cursor(), message.byte() == 1
            assert begins == held, "a push begins where the one before ended"
            body = message.varint()
            assert body in (0, 1), "LZ4 was not offered"
            if body == 1:
                merge(known, Changeset(message.counted()).read())
            held, whole = ends, last
            to_send.append(varint(3) + cursor(*ends))
        elif kind == 3:
            acknowledged |= message.cursor() == head + (b"",)
        elif kind == 4:
            raise Refused({"code": message.varint(), "detail": message.counted().decode()})
        elif kind == 5:
            to_send.append(varint(6) + varint(message.varint()))
    link.exchange(to_send + [varint(7)], end=True)
    rows = {
        table: [row for row in (shown(row) for row in of.values()) if row is not None]
        for table, of in known.items()
    }
    return {"rows": rows, "requests": link.requests, "acknowledged": acknowledged and bool(push)}


def main():
    arguments = sys.argv[1:]
    push = None
    if "--push" in arguments:
        at = arguments.index("--push")
        table, cell = arguments[at + 1 : at + 3]
        push = (table, *cell.split("=", 1))
        del arguments[at:]
    url, scope, token = (arguments + [None])[:3]
    try:
        print(json.dumps(sync(url, scope, token, push)))
    except Refused as refused:
        print(json.dumps({"error": refused.args[0]["code"], "message": refused.args[0]["detail"]}))


main()
