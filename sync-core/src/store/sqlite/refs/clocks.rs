//! The clocks of shown rows.

use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::super::engine::Engine;
use super::super::row_clock::{RowClock, compact_id, expand_id, find_compact_id};
use super::alias::{forget_named, note_named};
use super::identity::is_null_key;
use super::statements::{ClockSql, TableSql};
use super::values::{Bound, bound};
use super::{LocalKey, forget_dangling, note_dangling, row_id, untracked};
use crate::id::RowId;
use crate::store::{StoreError, StoreErrorKind};
use crate::value::Value;

/// The clock statements for a key, and whether they are of the form with ids.
fn statements<'s>(
    engine: &Engine,
    table_no: u32,
    sql: &'s TableSql,
    key: &[Value],
) -> Option<(&'s ClockSql, bool)> {
    if is_null_key(key) {
        return sql.null_clock.as_ref().map(|clock| (clock, true));
    }
    Some((&sql.clock, engine.catalog.tables.get(&table_no)?.is_surrogate()))
}

/// The bound form of a key: the rowid of a [`null_key`](super::null_key), else all values.
fn key_params(key: &[Value]) -> &[Value] {
    if is_null_key(key) { &key[1..] } else { key }
}

fn decode(row: &Row<'_>, column: usize, engine: &Engine) -> Result<RowClock, StoreError> {
    let bytes = row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(RowClock::decode(bytes, &engine.sites)?)
}

/// The id and the clock of the row that is shown under a local key; `None` where the key has no
/// clock (there is no such row, or it was not folded yet).
///
/// # Errors
/// When the clock table cannot be read.
pub fn clock(
    engine: &Engine,
    table_no: u32,
    local_key: &[Value],
) -> Result<Option<(RowId, RowClock)>, StoreError> {
    let Some(sql) = engine.sql(table_no) else { return Ok(None) };
    let Some((clock_sql, with_id)) = statements(engine, table_no, &sql, local_key) else { return Ok(None) };
    let mut statement = engine.conn.prepare_cached(&clock_sql.get)?;
    let mut rows = statement.query(params_from_iter(bound(key_params(local_key))))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if with_id {
        let id = expand_id(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?;
        return Ok(Some((id, decode(row, 1, engine)?)));
    }
    let clock = decode(row, 0, engine)?;
    drop(rows);
    // The row has a clock, so it has an id.
    Ok(row_id(engine, table_no, local_key)?.map(|id| (id, clock)))
}

/// The local key and the clock of a shown row.
///
/// # Errors
/// When the clock table cannot be read.
pub fn clock_by_id(
    engine: &Engine,
    table_no: u32,
    id: &RowId,
) -> Result<Option<(LocalKey, RowClock)>, StoreError> {
    let Some(sql) = engine.sql(table_no) else { return Ok(None) };
    let Some(table) = engine.catalog.tables.get(&table_no) else { return Ok(None) };
    if let RowId::Natural(_) = id {
        let Some(key) = super::local_key(engine, table_no, id)? else { return Ok(None) };
        return Ok(clock(engine, table_no, &key)?.map(|(_, clock)| (key, clock)));
    }
    let clock_sql = if table.is_surrogate() { Some(&sql.clock) } else { sql.null_clock.as_ref() };
    let Some((clock_sql, bytes)) = clock_sql.zip(find_compact_id(id, &engine.sites)) else {
        return Ok(None);
    };
    let mut statement = engine.conn.prepare_cached(&clock_sql.by_id)?;
    let mut rows = statement.query([bytes])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let integer: i64 = row.get(0)?;
    let key = if table.is_surrogate() {
        Box::new([Value::Integer(integer)]) as LocalKey
    } else {
        super::null_key(integer)
    };
    Ok(Some((key, decode(row, 1, engine)?)))
}

/// Whether a natural key has a clock.
pub(super) fn has_clock(engine: &Engine, table_no: u32, key: &[Value]) -> Result<bool, StoreError> {
    let Some(sql) = engine.sql(table_no) else { return Ok(false) };
    let mut statement = engine.conn.prepare_cached(&sql.clock.get)?;
    Ok(statement.exists(params_from_iter(bound(key)))?)
}

/// The id under an integer key, without its clock.
pub(super) fn id_of_integer(
    engine: &Engine,
    clock_sql: &ClockSql,
    key: i64,
) -> Result<Option<RowId>, StoreError> {
    let mut statement = engine.conn.prepare_cached(&clock_sql.get)?;
    let bytes: Option<Vec<u8>> = statement.query_row([key], |row| row.get(0)).optional()?;
    Ok(bytes.map(|bytes| expand_id(&bytes, &engine.sites)).transpose()?)
}

/// The integer key of an id, without its clock.
pub(super) fn integer_of_id(
    engine: &Engine,
    clock_sql: &ClockSql,
    id: &RowId,
) -> Result<Option<i64>, StoreError> {
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(None) };
    let mut statement = engine.conn.prepare_cached(&clock_sql.by_id)?;
    Ok(statement.query_row([bytes], |row| row.get(0)).optional()?)
}

/// Stores the clock of the row that is shown under a local key, in place of the one that was
/// there. The id is stored where the key is not the identity.
///
/// # Errors
/// When the table is not tracked here, when another key has the same id, or when the clock table
/// cannot be written.
pub fn put_clock(
    engine: &mut Engine,
    table_no: u32,
    local_key: &[Value],
    id: &RowId,
    clock: &RowClock,
) -> Result<(), StoreError> {
    let sql = engine.sql(table_no).ok_or_else(|| untracked(table_no))?;
    let (clock_sql, with_id) =
        statements(engine, table_no, &sql, local_key).ok_or_else(|| no_null_keys(table_no))?;
    let bytes = clock.encode(&mut engine.sites);
    let seq = clock.seq() as i64;
    engine.changed.note(table_no);
    let mut statement = engine.conn.prepare_cached(&clock_sql.put.one)?;
    let key = key_params(local_key);
    if with_id {
        let id = compact_id(id, &mut engine.sites);
        statement.execute((Bound(&key[0]), id, seq, bytes))?;
    } else {
        let state = [Value::Integer(seq), Value::Blob(bytes)];
        statement.execute(params_from_iter(bound(key).chain(bound(&state))))?;
        drop(statement);
        note_dangling(engine, table_no, id)?;
        note_named(engine, table_no, local_key, id)?;
    }
    Ok(())
}

/// Stores the clocks, as stored and with this largest log number, of rows that are new and whose keys name no
/// other rows, under their local keys.
///
/// # Errors
/// When the table is not tracked here, when another key has an id of these, or when the clock table
/// cannot be written.
pub(crate) fn put_new_clocks<'c>(
    engine: &mut Engine,
    table_no: u32,
    seq: u64,
    rows: impl Iterator<Item = (&'c [Value], &'c RowId, &'c [u8])>,
) -> Result<(), StoreError> {
    let sql = engine.sql(table_no).ok_or_else(|| untracked(table_no))?;
    let with_id = engine.catalog.tables.get(&table_no).is_some_and(|table| table.is_surrogate());
    engine.changed.note(table_no);
    let sites = &mut engine.sites;
    let stored: Vec<_> = rows
        .map(|(key, id, clock)| {
            let id = with_id.then(|| compact_id(id, sites));
            (key, id, clock)
        })
        .collect();
    sql.clock.put.put(&engine.conn, &stored, |statement, first, (key, id, clock)| {
        let mut next = first;
        for part in bound(key) {
            statement.raw_bind_parameter(next, part)?;
            next += 1;
        }
        if let Some(id) = id {
            statement.raw_bind_parameter(next, id)?;
            next += 1;
        }
        statement.raw_bind_parameter(next, seq as i64)?;
        statement.raw_bind_parameter(next + 1, clock)?;
        Ok(next + 2)
    })?;
    Ok(())
}

/// Stores the clock of a row that has one under this local key. Says whether it has.
///
/// # Errors
/// When the table is not tracked here, or the clock table cannot be written.
pub fn set_clock(
    engine: &mut Engine,
    table_no: u32,
    local_key: &[Value],
    clock: &RowClock,
) -> Result<bool, StoreError> {
    let sql = engine.sql(table_no).ok_or_else(|| untracked(table_no))?;
    let Some((clock_sql, _)) = statements(engine, table_no, &sql, local_key) else { return Ok(false) };
    let state = [Value::Integer(clock.seq() as i64), Value::Blob(clock.encode(&mut engine.sites))];
    engine.changed.note(table_no);
    let mut statement = engine.conn.prepare_cached(&clock_sql.set)?;
    Ok(statement.execute(params_from_iter(bound(key_params(local_key)).chain(bound(&state))))? > 0)
}

/// Forgets the clock under a local key. Says whether there was one.
///
/// # Errors
/// When the table is not tracked here, or the clock table cannot be written.
pub fn remove_clock(engine: &mut Engine, table_no: u32, local_key: &[Value]) -> Result<bool, StoreError> {
    let sql = engine.sql(table_no).ok_or_else(|| untracked(table_no))?;
    let Some((clock_sql, with_id)) = statements(engine, table_no, &sql, local_key) else { return Ok(false) };
    if !with_id && let Some(id) = row_id(engine, table_no, local_key)? {
        forget_dangling(engine, table_no, &id)?;
        forget_named(engine, table_no, &id)?;
    }
    let mut statement = engine.conn.prepare_cached(&clock_sql.remove)?;
    Ok(statement.execute(params_from_iter(bound(key_params(local_key))))? > 0)
}

/// Moves a clock from one local key to another, which must be free. Says whether there was one.
///
/// # Errors
/// When the table is not tracked here, the new key has a clock, or the clock table cannot be
/// written.
pub fn move_clock(
    engine: &mut Engine,
    table_no: u32,
    from: &[Value],
    to: &[Value],
) -> Result<bool, StoreError> {
    let sql = engine.sql(table_no).ok_or_else(|| untracked(table_no))?;
    let Some((clock_sql, _)) = statements(engine, table_no, &sql, from) else { return Ok(false) };
    let mut statement = engine.conn.prepare_cached(&clock_sql.rename)?;
    let params = bound(key_params(from)).chain(bound(key_params(to)));
    Ok(statement.execute(params_from_iter(params))? > 0)
}

fn no_null_keys(table_no: u32) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unsupported,
        format!("table number {table_no} has no rows with a NULL in their key"),
    )
}
