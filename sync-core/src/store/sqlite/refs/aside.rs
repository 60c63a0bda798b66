//! The records of rows that no table shows.

use super::super::engine::Engine;
use super::super::row_clock::{compact_id, expand_id, find_compact_id};
use super::super::system::AsideReason;
use crate::id::RowId;
use crate::store::{Record, StoreError, StoreErrorKind};

/// Why a row is not shown, and all that is known of it.
///
/// # Errors
/// When the record cannot be read.
pub fn aside(
    engine: &Engine,
    table_no: u32,
    id: &RowId,
) -> Result<Option<(AsideReason, Record)>, StoreError> {
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(None) };
    let mut statement = engine
        .conn
        .prepare_cached("SELECT reason, state FROM __pocketsync_aside WHERE tbl = ?1 AND id = ?2")?;
    let mut rows = statement.query((table_no, bytes))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let name = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
    let reason = AsideReason::named(name).ok_or_else(|| {
        StoreError::new(
            StoreErrorKind::NewerFormat,
            format!("a row is aside for the unknown reason {name:?}"),
        )
    })?;
    let record = Record::decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?;
    Ok(Some((reason, record)))
}

/// Keeps the record of a row that is not shown, in place of what was kept of it.
///
/// # Errors
/// When it cannot be written.
pub fn put_aside(
    engine: &mut Engine,
    table_no: u32,
    id: &RowId,
    reason: AsideReason,
    detail: Option<&str>,
    record: &Record,
) -> Result<(), StoreError> {
    let id = compact_id(id, &mut engine.sites);
    let state = record.encode(&mut engine.sites);
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_aside(tbl, id, seq, reason, detail, state, since)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, CASE ?4 WHEN 'deleted' THEN NULL
               ELSE CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) END)
             ON CONFLICT(tbl, id) DO UPDATE SET seq = excluded.seq,
               since = CASE reason WHEN excluded.reason THEN since ELSE excluded.since END, reason = excluded.reason,
               detail = excluded.detail, state = excluded.state, winner = NULL",
        )?
        .execute((table_no, id, record.seq() as i64, reason.as_str(), detail, state))?;
    Ok(())
}

/// Forgets the record of a row. Says whether there was one.
///
/// # Errors
/// When it cannot be written.
pub fn remove_aside(engine: &mut Engine, table_no: u32, id: &RowId) -> Result<bool, StoreError> {
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(false) };
    let mut statement =
        engine.conn.prepare_cached("DELETE FROM __pocketsync_aside WHERE tbl = ?1 AND id = ?2")?;
    Ok(statement.execute((table_no, bytes))? > 0)
}

/// The row that is shown in the place of one that lost its unique key, where one is noted.
///
/// # Errors
/// When it cannot be read.
pub fn winner(engine: &Engine, table_no: u32, id: &RowId) -> Result<Option<RowId>, StoreError> {
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(None) };
    let mut statement =
        engine.conn.prepare_cached("SELECT winner FROM __pocketsync_aside WHERE tbl = ?1 AND id = ?2")?;
    let mut rows = statement.query((table_no, bytes))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    match row.get_ref(0)?.as_blob_or_null().map_err(rusqlite::Error::from)? {
        Some(winner) => Ok(Some(expand_id(winner, &engine.sites)?)),
        None => Ok(None),
    }
}

/// Notes which row is shown in the place of one that is kept aside.
///
/// # Errors
/// When it cannot be written.
pub fn put_winner(
    engine: &mut Engine,
    table_no: u32,
    id: &RowId,
    winner: Option<&RowId>,
) -> Result<(), StoreError> {
    let id = compact_id(id, &mut engine.sites);
    let winner = winner.map(|winner| compact_id(winner, &mut engine.sites));
    engine
        .conn
        .prepare_cached("UPDATE __pocketsync_aside SET winner = ?3 WHERE tbl = ?1 AND id = ?2")?
        .execute((table_no, id, winner))?;
    Ok(())
}
