//! Shown rows whose local key does not tell which row they are: a part of it refers to a row that lost
//! its unique key, and shows the row that has it; or it refers to a row by another column than the
//! integer key, and that row may have another value there by now, or be gone.

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::row_clock::{compact_id, expand_id, find_compact_id};
use super::super::system::{clock_table, key_columns_list};
use super::LocalKey;
use super::aside::winner;
use super::identity::{key_value, meant_by};
use super::values::value;
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

fn may_have_any(engine: &Engine, table_no: u32) -> bool {
    let table = engine.catalog.tables.get(&table_no);
    table.is_some_and(|table| table.identity_key.is_some() || table.named_key)
}

/// Notes which row is shown under a key, if its table is one where the key alone does not tell.
///
/// # Errors
/// When it cannot be written.
pub fn note_named(engine: &mut Engine, table_no: u32, key: &[Value], id: &RowId) -> Result<(), StoreError> {
    if matches!(id, RowId::Natural(_)) && has_named_key(engine, table_no) {
        put_alias(engine, table_no, key, id)?;
    }
    Ok(())
}

/// Whether a natural key stands for a row by what its parts refer to now: they are its own, or those that have
/// the unique keys which its own lost.
///
/// # Errors
/// When the tables cannot be read.
pub fn stands_for(engine: &Engine, table_no: u32, key: &[Value], id: &RowId) -> Result<bool, StoreError> {
    let (Some(table), RowId::Natural(parts)) = (engine.catalog.tables.get(&table_no), id) else {
        return Ok(false);
    };
    let Some(RowId::Natural(meant)) = meant_by(engine, table_no, key)? else { return Ok(false) };
    for ((part, meant), &at) in parts.iter().zip(&meant).zip(&table.key) {
        let is_shown = match (part, meant, &table.columns[at].reference) {
            _ if part == meant => true,
            (Value::Ref(lost), Value::Ref(shown), Some(reference)) => {
                winner(engine, reference.table, lost)?.as_ref() == Some(&**shown)
            }
            _ => false,
        };
        if !is_shown {
            return Ok(false);
        }
    }
    Ok(parts.len() == meant.len())
}

/// Notes which row is shown under a key, if the key alone does not tell.
///
/// # Errors
/// When it cannot be read or written.
pub fn note_shown(engine: &mut Engine, table_no: u32, key: &[Value], id: &RowId) -> Result<(), StoreError> {
    if has_named_key(engine, table_no) || meant_by(engine, table_no, key)?.as_ref() != Some(id) {
        put_alias(engine, table_no, key, id)?;
    }
    Ok(())
}

/// Forgets what [`note_named`] noted.
pub(super) fn forget_named(engine: &Engine, table_no: u32, id: &RowId) -> Result<(), StoreError> {
    if has_named_key(engine, table_no) { forget_alias(engine, table_no, id) } else { Ok(()) }
}

/// Notes it of all rows that are shown and of which it is not noted yet.
///
/// # Errors
/// When the tables cannot be read or written.
pub fn note_all_named(engine: &mut Engine) -> Result<(), StoreError> {
    let named: Vec<Table> = engine.catalog.tables.values().filter(|table| table.named_key).cloned().collect();
    for table in named {
        for key in clock_keys(engine, &table)? {
            if alias_at(engine, table.no, &key)?.is_none()
                && let Some(id) = meant_by(engine, table.no, &key)?
            {
                put_alias(engine, table.no, &key, &id)?;
            }
        }
    }
    Ok(())
}

/// Whether the row that is shown under a key is another one than the key stands for now.
///
/// # Errors
/// When the tables cannot be read.
pub fn shows_another(engine: &Engine, table_no: u32, key: &[Value]) -> Result<bool, StoreError> {
    let Some(id) = alias_at(engine, table_no, key)? else { return Ok(false) };
    Ok(!has_named_key(engine, table_no) || meant_by(engine, table_no, key)?.as_ref() != Some(&id))
}

fn has_named_key(engine: &Engine, table_no: u32) -> bool {
    engine.catalog.tables.get(&table_no).is_some_and(|table| table.named_key)
}

/// The keys of all rows of a natural table that have a clock.
fn clock_keys(engine: &Engine, table: &Table) -> Result<Vec<LocalKey>, StoreError> {
    let columns = table.key.len();
    let sql = format!("SELECT {} FROM {}", key_columns_list(columns), clock_table(table.no));
    let mut statement = engine.conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let key = (0..columns).map(|at| row.get_ref(at).map(value));
        keys.push(key.collect::<rusqlite::Result<LocalKey>>()?);
    }
    Ok(keys)
}

/// The row that is shown under a key which says otherwise.
///
/// # Errors
/// When it cannot be read.
pub fn alias_at(engine: &Engine, table_no: u32, key: &[Value]) -> Result<Option<RowId>, StoreError> {
    if !may_have_any(engine, table_no) || !any(engine)? {
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
    if !may_have_any(engine, table_no) || !any(engine)? {
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
    if !may_have_any(engine, table_no) || !any(engine)? {
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
