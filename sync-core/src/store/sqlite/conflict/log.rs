//! The table of conflicts.

use rusqlite::{Row, params};

use super::super::engine::Engine;
use crate::conflict::{ConflictFilter, LoggedConflict};
use crate::store::StoreError;

/// Of our own cell in a conflict, what the peer is to be told about.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnCell {
    pub(super) table: u32,
    pub(super) column: u32,
    /// The log number under which it was written.
    pub(super) seq: u64,
    /// How much of the peer's log was known then.
    pub(super) known: u64,
}

/// Adds a conflict that `peer` (an ordinal) brought, and takes out what is over the bounds.
pub(super) fn put(
    engine: &Engine,
    peer: u64,
    conflict: &LoggedConflict,
    own: Option<OwnCell>,
) -> Result<(), StoreError> {
    let limits = engine.conflict_limits;
    let conn = &engine.conn;
    conn.prepare_cached(
        "INSERT INTO __pocketsync_conflict(logged_ms, table_name, column_name, winner, rule, open, peer, tbl, col,
           own_seq, known, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        conflict.logged_ms as i64,
        conflict.table,
        conflict.column,
        conflict.winner.as_str(),
        conflict.rule,
        conflict.open,
        peer as i64,
        own.map(|own| own.table),
        own.map(|own| own.column),
        own.map(|own| own.seq as i64),
        own.map(|own| own.known as i64),
        conflict.encode(),
    ])?;
    let beyond = i64::try_from(limits.max_count).unwrap_or(i64::MAX);
    let last = conn.last_insert_rowid();
    let oldest = conflict.logged_ms.saturating_sub(limits.max_age_ms) as i64;
    conn.prepare_cached("DELETE FROM __pocketsync_conflict WHERE id <= ?1 OR logged_ms < ?2")?
        .execute((last.saturating_sub(beyond), oldest))?;
    Ok(())
}

/// Takes out what was logged of our own write in the same cell, against others: there is a decision now.
pub(super) fn supersede(engine: &Engine, decided: &LoggedConflict, own: &OwnCell) -> Result<(), StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT id, logged_ms, body FROM __pocketsync_conflict WHERE own_seq = ?1 AND tbl = ?2 AND col = ?3",
    )?;
    let mut rows = statement.query(params![own.seq as i64, own.table, own.column])?;
    while let Some(row) = rows.next()? {
        let earlier = read(row)?;
        if earlier.row == decided.row && earlier.here == decided.here {
            let sql = "DELETE FROM __pocketsync_conflict WHERE id = ?1";
            engine.conn.prepare_cached(sql)?.execute([earlier.id as i64])?;
        }
    }
    Ok(())
}

/// An entry, of the columns `id, logged_ms, body` that a row begins with.
pub(super) fn read(row: &Row<'_>) -> Result<LoggedConflict, StoreError> {
    let number = |column: usize| row.get::<_, i64>(column).map(|number| number as u64);
    let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(LoggedConflict::decode(number(0)?, number(1)?, body)?)
}

/// The conflicts that a filter wants, the newest first.
///
/// # Errors
/// When the file cannot be read.
pub fn find(engine: &Engine, filter: &ConflictFilter) -> Result<Vec<LoggedConflict>, StoreError> {
    if !engine.is_tracked() {
        return Ok(Vec::new());
    }
    let mut statement = engine.conn.prepare_cached(
        "SELECT id, logged_ms, body FROM __pocketsync_conflict
         WHERE logged_ms >= ?1 AND (?2 IS NULL OR table_name = ?2 COLLATE NOCASE) AND (open OR NOT ?3)
         ORDER BY id DESC LIMIT ?4",
    )?;
    let since = i64::try_from(filter.since_ms.unwrap_or_default()).unwrap_or(i64::MAX);
    let limit = filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut rows = statement.query(params![since, filter.table, filter.open, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// One conflict.
pub(in super::super) fn get(engine: &Engine, id: u64) -> Result<Option<LoggedConflict>, StoreError> {
    if !engine.is_tracked() {
        return Ok(None);
    }
    let sql = "SELECT id, logged_ms, body FROM __pocketsync_conflict WHERE id = ?1";
    let mut statement = engine.conn.prepare_cached(sql)?;
    let mut rows = statement.query([id as i64])?;
    rows.next()?.map(read).transpose()
}

/// How many there are.
pub(in super::super) fn count(engine: &Engine) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM __pocketsync_conflict";
    let count: i64 = engine.conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(count as u64)
}

/// Own writes after a log number have other versions now than the log says: they are not told again.
pub(in super::super) fn forget_versions(engine: &Engine, after: u64) -> Result<(), StoreError> {
    engine
        .conn
        .execute("UPDATE __pocketsync_conflict SET own_seq = NULL WHERE own_seq > ?1", [after as i64])?;
    Ok(())
}
