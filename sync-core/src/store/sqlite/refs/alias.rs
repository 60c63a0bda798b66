//! Shown rows whose local key is not what their id says: a part of it refers to a row that lost its
//! unique key, and shows the row that has it.

use super::super::engine::Engine;
use super::super::row_clock::{compact_id, expand_id, find_compact_id};
use super::LocalKey;
use super::identity::key_value;
use crate::codec::{Reader, Writer};
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

fn encoded(key: &[Value]) -> Vec<u8> {
    let mut writer = Writer::new();
    key.iter().for_each(|part| key_value(part.clone()).encode(&mut writer));
    writer.into_bytes()
}

/// Whether there are any in the file. Asked once a transaction, since most files have none.
fn any(engine: &Engine) -> Result<bool, StoreError> {
    if let Some(any) = engine.has_aliases.get() {
        return Ok(any);
    }
    let any = engine.conn.prepare_cached("SELECT 1 FROM __pocketsync_alias LIMIT 1")?.exists([])?;
    engine.has_aliases.set(Some(any));
    Ok(any)
}

fn has_identity_key(engine: &Engine, table_no: u32) -> bool {
    engine.catalog.tables.get(&table_no).is_some_and(|table| table.identity_key.is_some())
}

/// The row that is shown under a key which says otherwise.
///
/// # Errors
/// When it cannot be read.
pub fn alias_at(engine: &Engine, table_no: u32, key: &[Value]) -> Result<Option<RowId>, StoreError> {
    if !has_identity_key(engine, table_no) || !any(engine)? {
        return Ok(None);
    }
    let mut statement =
        engine.conn.prepare_cached("SELECT id FROM __pocketsync_alias WHERE tbl = ?1 AND k = ?2")?;
    let mut rows = statement.query((table_no, encoded(key)))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let id = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(Some(expand_id(id, &engine.sites)?))
}

/// The key under which a row is shown, where its id says otherwise.
///
/// # Errors
/// When it cannot be read.
pub fn alias_of(engine: &Engine, table_no: u32, id: &RowId) -> Result<Option<LocalKey>, StoreError> {
    if !has_identity_key(engine, table_no) || !any(engine)? {
        return Ok(None);
    }
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(None) };
    let mut statement =
        engine.conn.prepare_cached("SELECT k FROM __pocketsync_alias WHERE tbl = ?1 AND id = ?2")?;
    let mut rows = statement.query((table_no, bytes))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    decoded(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?).map(Some)
}

fn decoded(bytes: &[u8]) -> Result<LocalKey, StoreError> {
    let mut reader = Reader::new(bytes);
    let mut key = Vec::new();
    while reader.remaining() > 0 {
        key.push(Value::decode(&mut reader)?);
    }
    Ok(key.into())
}

/// Notes that a row is shown under a key which says otherwise.
///
/// # Errors
/// When it cannot be written.
pub fn put_alias(engine: &mut Engine, table_no: u32, key: &[Value], id: &RowId) -> Result<(), StoreError> {
    let id = compact_id(id, &mut engine.sites);
    engine
        .conn
        .prepare_cached("INSERT OR REPLACE INTO __pocketsync_alias(tbl, k, id) VALUES(?1, ?2, ?3)")?
        .execute((table_no, encoded(key), id))?;
    engine.has_aliases.set(Some(true));
    Ok(())
}

/// Forgets that a row is shown under another key than its id says.
///
/// # Errors
/// When it cannot be written.
pub fn forget_alias(engine: &Engine, table_no: u32, id: &RowId) -> Result<(), StoreError> {
    if !has_identity_key(engine, table_no) || !any(engine)? {
        return Ok(());
    }
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(()) };
    let mut statement =
        engine.conn.prepare_cached("DELETE FROM __pocketsync_alias WHERE tbl = ?1 AND id = ?2")?;
    statement.execute((table_no, bytes))?;
    Ok(())
}

/// The rows of a table that are shown so, with their keys.
///
/// # Errors
/// When they cannot be read.
pub fn aliases(engine: &Engine, table_no: u32) -> Result<Vec<(LocalKey, RowId)>, StoreError> {
    let mut statement =
        engine.conn.prepare_cached("SELECT k, id FROM __pocketsync_alias WHERE tbl = ?1 ORDER BY id")?;
    let mut rows = statement.query([table_no])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = decoded(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        let id = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push((key, expand_id(id, &engine.sites)?));
    }
    Ok(found)
}
