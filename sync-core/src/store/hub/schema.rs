//! The hub file's tables.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::error::failed;
use crate::id::SiteId;
use crate::lineage::Stamp;
use crate::store::{StoreError, StoreErrorKind};

/// The format that this build writes.
const FORMAT: i64 = 1;

/// Marks the file as a hub's for `file(1)` and for us: "PkSy".
const APPLICATION_ID: i64 = 0x506b_5379;

/// * `scopes`: the logical databases; `head` is the last log number, `lineage` the openings that
///   handed out numbers, `ticks` counts what is written to `peers`.
/// * `sites`: whose writes are known, under the ordinals that the records use.
/// * `names`: the numbers of tables (`col` -1) and columns.
/// * `records`: the whole merged state of each row; `row` is the key of the row's id. The index holds the
///   log: each row once, at its last change.
/// * `origins`: which peer a log number came from, until the peer holds it again.
/// * `peers`: how far each peer was read, and what it has of us.
/// * `staged`: pieces of groups that are not complete.
/// * `conflicts`: writes that were made without knowledge of each other, and what became of them.
const TABLES: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE scopes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, head INTEGER NOT NULL,
        ticks INTEGER NOT NULL, lineage BLOB NOT NULL);
    CREATE TABLE sites (scope INTEGER NOT NULL, ordinal INTEGER NOT NULL, site BLOB NOT NULL,
        counter INTEGER NOT NULL, hlc INTEGER NOT NULL, PRIMARY KEY (scope, ordinal)) WITHOUT ROWID;
    CREATE TABLE names (scope INTEGER NOT NULL, tbl INTEGER NOT NULL, col INTEGER NOT NULL,
        name TEXT NOT NULL, PRIMARY KEY (scope, tbl, col)) WITHOUT ROWID;
    CREATE TABLE records (scope INTEGER NOT NULL, tbl INTEGER NOT NULL, row BLOB NOT NULL,
        seq INTEGER NOT NULL, state BLOB NOT NULL, PRIMARY KEY (scope, tbl, row)) WITHOUT ROWID;
    CREATE INDEX records_by_seq ON records (scope, seq, tbl, row);
    CREATE TABLE origins (scope INTEGER NOT NULL, seq INTEGER NOT NULL, peer INTEGER NOT NULL,
        PRIMARY KEY (scope, seq)) WITHOUT ROWID;
    CREATE INDEX origins_by_peer ON origins (scope, peer, seq);
    CREATE TABLE peers (scope INTEGER NOT NULL, site BLOB NOT NULL, tick INTEGER NOT NULL,
        state BLOB NOT NULL, PRIMARY KEY (scope, site)) WITHOUT ROWID;
    CREATE INDEX peers_by_tick ON peers (scope, tick);
    CREATE TABLE staged (scope INTEGER NOT NULL, site BLOB NOT NULL, piece INTEGER NOT NULL,
        changeset BLOB NOT NULL, PRIMARY KEY (scope, site, piece)) WITHOUT ROWID;
";

/// Made in files from before there was any of it, too. A site belongs to whom it was first heard of.
const LATER: &str = "
    CREATE TABLE IF NOT EXISTS conflicts (scope INTEGER NOT NULL, id INTEGER NOT NULL,
        logged_ms INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (scope, id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS bound (scope INTEGER NOT NULL, site BLOB NOT NULL, identity TEXT NOT NULL,
        PRIMARY KEY (scope, site)) WITHOUT ROWID;
";

/// Creates the tables in an empty file, checks them in another, and returns the hub's site and the
/// stamp of this opening. SQLite's own clock and randomness are used, so that whoever controls
/// those of SQLite controls everything that is not given.
pub(super) fn prepare(conn: &mut Connection, path: &Path) -> Result<(SiteId, Stamp), StoreError> {
    let sql = |error: rusqlite::Error| failed(path, &error);
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(sql)?;
    let application: i64 = tx.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(sql)?;
    let objects: i64 =
        tx.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(sql)?;
    if application == 0 && objects == 0 {
        create(&tx).map_err(sql)?;
    } else if application != APPLICATION_ID {
        return Err(foreign(path));
    }
    let value = |key: &str| tx.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0));
    let format: Option<i64> = value("format").optional().map_err(sql)?;
    match format {
        None => return Err(foreign(path)),
        Some(format) if format > FORMAT => {
            return Err(StoreError::new(
                StoreErrorKind::NewerFormat,
                format!(
                    "hub file {} has format {format}, and this build knows up to {FORMAT}; run a newer PocketSync",
                    path.display()
                ),
            ));
        }
        Some(_) => {}
    }
    tx.execute_batch(LATER).map_err(sql)?;
    let site: [u8; 16] =
        tx.query_row("SELECT value FROM meta WHERE key = 'site'", [], |row| row.get(0)).map_err(sql)?;
    let stamp: [u8; 8] = tx.query_row("SELECT randomblob(8)", [], |row| row.get(0)).map_err(sql)?;
    tx.commit().map_err(sql)?;
    // Zero stands before the first opening.
    Ok((SiteId::from_bytes(site), Stamp(u64::from_be_bytes(stamp).max(1))))
}

/// Refuses what is no hub's file.
pub(super) fn check_is_hub(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let application: i64 = conn
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(|error| failed(path, &error))?;
    if application == APPLICATION_ID { Ok(()) } else { Err(foreign(path)) }
}

fn create(tx: &Connection) -> rusqlite::Result<()> {
    tx.execute_batch(TABLES)?;
    tx.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
    let (wall_ms, random): (i64, [u8; 10]) = tx.query_row(
        "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), randomblob(10)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let site = SiteId::new_v7(wall_ms.max(0).unsigned_abs(), random);
    tx.execute("INSERT INTO meta VALUES ('format', ?1)", [FORMAT])?;
    tx.execute("INSERT INTO meta VALUES ('site', ?1)", [site.as_bytes()])?;
    Ok(())
}

fn foreign(path: &Path) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!(
            "{} is a SQLite database, but not a hub's; give the hub a path of its own (it is not the database to be synced)",
            path.display()
        ),
    )
}
