//! The system tables. All names start with [`PREFIX`]; `untrack` drops them all.

/// What every name that PocketSync puts into a user's database starts with.
pub const PREFIX: &str = "__pocketsync_";

/// The format of the system tables; an engine refuses newer ones, and upgrades
/// older ones before it writes.
pub const FORMAT: i64 = 5;

/// Creates the system tables that do not depend on the user's schema.
///
/// The journal is made by tracking, since its width follows the widest key.
pub const SYSTEM_TABLES: &str = "
-- Counters and marks, one a row.
CREATE TABLE IF NOT EXISTS __pocketsync_meta(
  key TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID;
-- Sites as ordinals, and the largest row counter and clock seen from each.
CREATE TABLE IF NOT EXISTS __pocketsync_site(
  ord INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, counter INTEGER NOT NULL, hlc INTEGER NOT NULL);
-- The openings of this replica.
CREATE TABLE IF NOT EXISTS __pocketsync_incarnation(
  first_seq INTEGER PRIMARY KEY, stamp INTEGER NOT NULL);
-- What is remembered of a log number: for an applied group the peer (site ordinal) and its
-- position; for a fold the largest foreign clock then seen, and the count of clock jumps; and the
-- last row counter and the largest clock when a fold was done. For an applied group, `floor` is
-- how much of the peer's log is known with it where that is not all up to `peer_seq`, and `clock`
-- the largest clock of the peer's own writes that is known with it.
CREATE TABLE IF NOT EXISTS __pocketsync_log(
  seq INTEGER PRIMARY KEY, peer INTEGER, peer_seq INTEGER, floor INTEGER, jump INTEGER,
  counter INTEGER, clock INTEGER);
-- What we hold of each peer, and it of us.
CREATE TABLE IF NOT EXISTS __pocketsync_peer(
  site INTEGER PRIMARY KEY,
  held_seq INTEGER NOT NULL, held_stamp INTEGER NOT NULL, held_within BLOB NOT NULL,
  held_lineage BLOB NOT NULL, catching_up INTEGER NOT NULL,
  acked_seq INTEGER NOT NULL, acked_stamp INTEGER NOT NULL,
  resend_from INTEGER NOT NULL DEFAULT 0, resend_until INTEGER NOT NULL, met INTEGER NOT NULL);
-- Names that we left so that peers tell us everything again, and our last clock under each.
CREATE TABLE IF NOT EXISTS __pocketsync_name(
  site INTEGER PRIMARY KEY, clock INTEGER NOT NULL);
-- Those of which a peer (by its site) may not have what we wrote after log number `acked`, up to `until`.
CREATE TABLE IF NOT EXISTS __pocketsync_former(
  site INTEGER NOT NULL, peer INTEGER NOT NULL, acked INTEGER NOT NULL, until INTEGER NOT NULL,
  PRIMARY KEY(site, peer)) WITHOUT ROWID;
-- The largest clock that was known from each site when the peers' logs were last begun to be read again.
CREATE TABLE IF NOT EXISTS __pocketsync_before(
  site INTEGER PRIMARY KEY, clock INTEGER NOT NULL);
-- Conflicts that this replica knows of. `body` is the whole entry; of our own cell in it there is
-- where it is, under which log number it was written, and how much of the peer's log was known then.
CREATE TABLE IF NOT EXISTS __pocketsync_conflict(
  id INTEGER PRIMARY KEY, logged_ms INTEGER NOT NULL, table_name TEXT NOT NULL, column_name TEXT,
  winner TEXT NOT NULL, rule TEXT NOT NULL, open INTEGER NOT NULL, peer INTEGER NOT NULL,
  tbl INTEGER, col INTEGER, own_seq INTEGER, known INTEGER, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS __pocketsync_conflict_age ON __pocketsync_conflict(logged_ms);
CREATE INDEX IF NOT EXISTS __pocketsync_conflict_own ON __pocketsync_conflict(own_seq) WHERE own_seq IS NOT NULL;
-- Pieces of a group that is not complete yet, as encoded changesets.
CREATE TABLE IF NOT EXISTS __pocketsync_staging(
  peer INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(peer, n)) WITHOUT ROWID;
-- Tables and columns by number. Numbers are never reused; those that the local schema does not
-- have are remembered too, since rows of theirs are kept for others. The fingerprint says what
-- the primary key is; a suspect table was found without its triggers (1), or was not there at all
-- when the engine looked (2); a captured column is one that the triggers know (1), or knew before it
-- was dropped (2).
CREATE TABLE IF NOT EXISTS __pocketsync_table(
  no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, tracked INTEGER NOT NULL, identity TEXT NOT NULL,
  fingerprint TEXT NOT NULL, suspect INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS __pocketsync_column(
  tbl INTEGER NOT NULL, no INTEGER NOT NULL, name TEXT NOT NULL, captured INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(tbl, no), UNIQUE(tbl, name)) WITHOUT ROWID;
-- Whole records of rows that no table shows. The winner is the row (id) that has the unique key
-- which this one claims: references to this one show that one. Since: when it came to be aside for
-- this reason, in milliseconds since 1970; of no row that is deleted.
CREATE TABLE IF NOT EXISTS __pocketsync_aside(
  tbl INTEGER NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT,
  state BLOB NOT NULL, winner BLOB, since INTEGER, PRIMARY KEY(tbl, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS __pocketsync_aside_seq ON __pocketsync_aside(seq);
CREATE INDEX IF NOT EXISTS __pocketsync_aside_waiting ON __pocketsync_aside(reason, tbl) WHERE reason <> 'deleted';
-- Merged values that a shown row cannot show, encoded.
CREATE TABLE IF NOT EXISTS __pocketsync_shadow(
  tbl INTEGER NOT NULL, id BLOB NOT NULL, col INTEGER NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY(tbl, id, col)) WITHOUT ROWID;
-- The columns that merge, and how: those of whose rows the values are kept in the shadow.
CREATE TABLE IF NOT EXISTS __pocketsync_merge(
  tbl INTEGER NOT NULL, col INTEGER NOT NULL, word TEXT NOT NULL, PRIMARY KEY(tbl, col)) WITHOUT ROWID;
-- What own shares of such columns were before folds that no peer has acknowledged (the cell, encoded;
-- NULL: there was none), and whether what was written contains it.
CREATE TABLE IF NOT EXISTS __pocketsync_share(
  seq INTEGER NOT NULL, tbl INTEGER NOT NULL, id BLOB NOT NULL, col INTEGER NOT NULL,
  goes_on INTEGER NOT NULL, cell BLOB, PRIMARY KEY(seq, tbl, id, col)) WITHOUT ROWID;
-- Changes of our own that a peer did not take, a row each: the reason by number, since when in milliseconds
-- since 1970, and the parts as an encoded changeset; of shares what was contributed.
CREATE TABLE IF NOT EXISTS __pocketsync_refused(
  tbl INTEGER NOT NULL, id BLOB NOT NULL, reason INTEGER NOT NULL, since INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(tbl, id)) WITHOUT ROWID;
-- Unique keys that more than one row claims: those of the hidden rows, and of the row that has it.
CREATE TABLE IF NOT EXISTS __pocketsync_claim(
  tbl INTEGER NOT NULL, idx INTEGER NOT NULL, key BLOB NOT NULL, id BLOB NOT NULL,
  PRIMARY KEY(tbl, idx, key, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS __pocketsync_claim_id ON __pocketsync_claim(tbl, id);
-- What rows refer to that is not shown: of rows that wait for it, and of rows that show another
-- one in its place.
CREATE TABLE IF NOT EXISTS __pocketsync_wait(
  parent INTEGER NOT NULL, target BLOB NOT NULL, tbl INTEGER NOT NULL, id BLOB NOT NULL,
  PRIMARY KEY(parent, target, tbl, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS __pocketsync_wait_id ON __pocketsync_wait(tbl, id);
-- Shown rows whose natural key holds a reference to nothing.
CREATE TABLE IF NOT EXISTS __pocketsync_dangling(
  tbl INTEGER NOT NULL, id BLOB NOT NULL, PRIMARY KEY(tbl, id)) WITHOUT ROWID;
-- Shown rows whose local key, encoded, does not tell which row they are: it shows another row in the place
-- of one that it refers to, or refers to rows by name.
CREATE TABLE IF NOT EXISTS __pocketsync_alias(
  tbl INTEGER NOT NULL, k BLOB NOT NULL, id BLOB NOT NULL, PRIMARY KEY(tbl, k)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS __pocketsync_alias_id ON __pocketsync_alias(tbl, id);
-- The rows that wait, for people and programs to read.
CREATE VIEW IF NOT EXISTS __pocketsync_parked AS
  SELECT t.name AS table_name, a.id AS row_id, a.reason, a.detail
  FROM __pocketsync_aside a JOIN __pocketsync_table t ON t.no = a.tbl WHERE a.reason <> 'deleted';
";

/// Why a row is aside. Stored by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum AsideReason {
    /// It is dead: a tombstone, with what is newer than the death.
    Deleted,
    /// It was never inserted as far as is known: changes that came before their row.
    Unborn,
    /// The local schema has no such table, or does not track it.
    UnknownTable,
    /// A row that it refers to is not shown here.
    MissingParent,
    /// An older row claims the same unique key.
    UniqueClaim,
    /// The table refuses it: CHECK, NOT NULL, a type of a STRICT table.
    Refused,
}

impl AsideReason {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            AsideReason::Deleted => "deleted",
            AsideReason::Unborn => "unborn",
            AsideReason::UnknownTable => "unknown table",
            AsideReason::MissingParent => "missing parent",
            AsideReason::UniqueClaim => "unique claim",
            AsideReason::Refused => "refused",
        }
    }

    /// The reason with this stored name.
    pub fn named(name: &str) -> Option<Self> {
        use AsideReason::{Deleted, MissingParent, Refused, Unborn, UniqueClaim, UnknownTable};
        [Deleted, Unborn, UnknownTable, MissingParent, UniqueClaim, Refused]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}

/// The journal: one narrow row for each captured change of one row.
///
/// | column | meaning |
/// |---|---|
/// | `n` | order of the writes |
/// | `t` | table number |
/// | `f` | [`journal flags`](flag) |
/// | `m` | of an update, and of a key that changed and has references in it, changed columns: an integer, bit = column number; where a table has column numbers over 62, text of `0` and `1`, one a column number |
/// | `at` | `julianday('now')` |
/// | `k`, `k2`, `k3` … | the row's key now (before, for a delete); as many as the widest key |
/// | `o` | the old integer where a surrogate key changed; the rowid where a natural key holds a NULL |
pub mod flag {
    /// The row was inserted.
    pub const INSERT: i64 = 1;
    /// The row was deleted.
    pub const DELETE: i64 = 2;
    /// The row was updated.
    pub const UPDATE: i64 = 4;
    /// The row may have been removed without a trigger, by a conflict clause: look.
    pub const TOUCH: i64 = 8;
}

/// The clock table of a user table.
///
/// Surrogate identity: `(k INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, s INTEGER NOT NULL, r
/// BLOB NOT NULL)`, where `id` is [`compact_id`](super::row_clock::compact_id). Natural identity:
/// `(k, k2, …, s, r, PRIMARY KEY(k, k2, …)) WITHOUT ROWID`, keys without type or collation. `s`
/// is the largest log number of the row and is indexed; `r` is the packed
/// [`RowClock`](super::row_clock::RowClock).
pub fn clock_table(table_no: u32) -> String {
    format!("{PREFIX}clock_{table_no}")
}

/// The clock table of those rows of a natural-key table whose key holds a NULL; keyed by rowid,
/// of the form that surrogate tables have.
pub fn null_key_clock_table(table_no: u32) -> String {
    format!("{PREFIX}clock_{table_no}_null")
}

/// The statements that make a clock table and its index.
pub fn create_clock_table(name: &str, key_columns: usize, surrogate: bool) -> String {
    if surrogate {
        return format!(
            "CREATE TABLE IF NOT EXISTS {name}(k INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, s INTEGER NOT NULL, \
             r BLOB NOT NULL);\nCREATE INDEX IF NOT EXISTS {name}_s ON {name}(s);"
        );
    }
    let keys = key_columns_list(key_columns);
    format!(
        "CREATE TABLE IF NOT EXISTS {name}({keys}, s INTEGER NOT NULL, r BLOB NOT NULL, PRIMARY KEY({keys})) \
         WITHOUT ROWID;\nCREATE INDEX IF NOT EXISTS {name}_s ON {name}(s);"
    )
}

/// The names of the key columns of a clock table or of the journal: `k, k2, k3`.
pub fn key_columns_list(count: usize) -> String {
    (1..=count).map(key_column).collect::<Vec<_>>().join(", ")
}

/// The name of the `n`th key column, from 1: `k`, `k2`, `k3`.
pub fn key_column(n: usize) -> String {
    if n == 1 { "k".to_owned() } else { format!("k{n}") }
}

/// A name as an SQL identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string as an SQL literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
