//! Merged values that a shown row cannot show. [`RowClock::shadowed`] says that a row has some;
//! whoever puts the first or removes the last one sets it.
//!
//! [`RowClock::shadowed`]: super::super::row_clock::RowClock::shadowed

use std::collections::BTreeMap;

use super::super::engine::Engine;
use super::super::row_clock::{compact_id, find_compact_id};
use crate::codec::{Reader, Writer};
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// The merged values of a row, by column number.
///
/// # Errors
/// When they cannot be read.
pub fn shadows(engine: &Engine, table_no: u32, id: &RowId) -> Result<BTreeMap<u32, Value>, StoreError> {
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(BTreeMap::new()) };
    let mut statement = engine
        .conn
        .prepare_cached("SELECT col, value FROM __pocketsync_shadow WHERE tbl = ?1 AND id = ?2")?;
    let mut rows = statement.query((table_no, bytes))?;
    let mut values = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let mut reader = Reader::new(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
        let value = Value::decode(&mut reader)?;
        reader.finish()?;
        values.insert(row.get(0)?, value);
    }
    Ok(values)
}

/// Keeps a merged value beside a shown row.
///
/// # Errors
/// When it cannot be written.
pub fn put_shadow(
    engine: &mut Engine,
    table_no: u32,
    id: &RowId,
    column: u32,
    value: &Value,
) -> Result<(), StoreError> {
    let id = compact_id(id, &mut engine.sites);
    let mut writer = Writer::new();
    value.encode(&mut writer);
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_shadow(tbl, id, col, value) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT(tbl, id, col) DO UPDATE SET value = excluded.value",
        )?
        .execute((table_no, id, column, writer.into_bytes()))?;
    Ok(())
}

/// Forgets the merged value of one column. Says whether there was one.
///
/// # Errors
/// When it cannot be written.
pub fn remove_shadow(
    engine: &mut Engine,
    table_no: u32,
    id: &RowId,
    column: u32,
) -> Result<bool, StoreError> {
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(false) };
    let mut statement = engine
        .conn
        .prepare_cached("DELETE FROM __pocketsync_shadow WHERE tbl = ?1 AND id = ?2 AND col = ?3")?;
    Ok(statement.execute((table_no, bytes, column))? > 0)
}

/// Forgets all merged values of a row.
///
/// # Errors
/// When they cannot be written.
pub fn remove_shadows(engine: &mut Engine, table_no: u32, id: &RowId) -> Result<(), StoreError> {
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(()) };
    engine
        .conn
        .prepare_cached("DELETE FROM __pocketsync_shadow WHERE tbl = ?1 AND id = ?2")?
        .execute((table_no, bytes))?;
    Ok(())
}
