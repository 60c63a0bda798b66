//! Shown rows whose natural key holds a reference to nothing: when something comes to be there, it
//! is another id that they have.

use super::super::engine::Engine;
use super::super::row_clock::{compact_id, expand_id, find_compact_id};
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// Whether a part of a natural key is a reference to nothing.
pub(super) fn is_dangling(id: &RowId) -> bool {
    matches!(id, RowId::Natural(key) if key.iter().any(|part| matches!(part, Value::Dangling(_))))
}

/// Remembers a row that is shown, if its key dangles.
///
/// # Errors
/// When it cannot be written.
pub fn note_dangling(engine: &mut Engine, table_no: u32, id: &RowId) -> Result<(), StoreError> {
    if is_dangling(id) {
        let id = compact_id(id, &mut engine.sites);
        engine
            .conn
            .prepare_cached("INSERT OR IGNORE INTO __pocketsync_dangling(tbl, id) VALUES(?1, ?2)")?
            .execute((table_no, id))?;
    }
    Ok(())
}

/// Forgets a row, if its key dangled.
///
/// # Errors
/// When it cannot be written.
pub fn forget_dangling(engine: &Engine, table_no: u32, id: &RowId) -> Result<(), StoreError> {
    if let (true, Some(id)) = (is_dangling(id), find_compact_id(id, &engine.sites)) {
        engine
            .conn
            .prepare_cached("DELETE FROM __pocketsync_dangling WHERE tbl = ?1 AND id = ?2")?
            .execute((table_no, id))?;
    }
    Ok(())
}

/// The rows of a table whose key dangled when it was last written.
///
/// # Errors
/// When they cannot be read.
pub fn dangling(engine: &Engine, table_no: u32) -> Result<Vec<RowId>, StoreError> {
    let mut statement =
        engine.conn.prepare_cached("SELECT id FROM __pocketsync_dangling WHERE tbl = ?1 ORDER BY id")?;
    let mut rows = statement.query([table_no])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        ids.push(expand_id(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?);
    }
    Ok(ids)
}
