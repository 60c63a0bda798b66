-- Rooms, who is in them, and messages that answer each other.
CREATE TABLE rooms (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  topic TEXT
);
CREATE TABLE people (
  handle TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
  about TEXT
);
CREATE TABLE members (
  room_id INTEGER NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
  handle TEXT NOT NULL COLLATE NOCASE REFERENCES people (handle) ON UPDATE CASCADE ON DELETE CASCADE,
  muted INTEGER NOT NULL DEFAULT 0 CHECK (muted IN (0, 1)),
  nickname TEXT,
  PRIMARY KEY (room_id, handle)
);
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  room_id INTEGER NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
  reply_to INTEGER REFERENCES messages (id) ON DELETE SET NULL,
  body TEXT NOT NULL,
  attachment BLOB
);
CREATE INDEX messages_by_room ON messages (room_id);
