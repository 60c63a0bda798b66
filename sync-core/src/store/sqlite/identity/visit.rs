//! Every row that changed after a log number, with its versions.

use rusqlite::params_from_iter;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs::{LocalKey, bound, null_key, value};
use super::super::row_clock::{RowClock, compact_id, expand_id, find_compact_id};
use super::super::system::{clock_table, key_column, key_columns_list, null_key_clock_table};
use crate::id::RowId;
use crate::store::{Record, StoreError};
use crate::value::Value;

/// The clock tables of a database: of which table, of the form with ids or not, and the name.
fn clock_tables(engine: &Engine) -> Vec<(&Table, bool, String)> {
    let mut names = Vec::new();
    for table in engine.catalog.tables.values() {
        names.push((table, table.is_surrogate(), clock_table(table.no)));
        if table.nullable_key {
            names.push((table, true, null_key_clock_table(table.no)));
        }
    }
    names
}

fn select(name: &str, keys: usize, with_id: bool) -> String {
    let id = if with_id { "id" } else { "NULL" };
    // The index must be the one that no change below touches.
    let keys = key_columns_list(keys);
    format!("SELECT r, {id}, {keys} FROM {name} INDEXED BY {name}_s WHERE s > ?1 ORDER BY s")
}

/// The log numbers of each row that changed after `after`, and of each record aside.
pub(super) fn log_numbers(
    engine: &Engine,
    after: u64,
    mut visit: impl FnMut(Vec<u64>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for (_, with_id, name) in clock_tables(engine) {
        let mut statement = engine.conn.prepare_cached(&select(&name, 1, with_id))?;
        let mut rows = statement.query([after as i64])?;
        while let Some(row) = rows.next()? {
            let clock = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let clock = RowClock::decode(clock, &engine.sites)?;
            let cells = clock.exceptions.iter().map(|held| held.seq);
            visit(cells.chain([clock.life_seq, clock.base_seq]).collect())?;
        }
    }
    for (_, _, record) in records(engine, after)? {
        let cells = record.cells.values().map(|held| held.seq);
        visit(cells.chain([record.life_seq]).collect())?;
    }
    Ok(())
}

/// Shows every clock that changed after `after`, and stores those that `change` changes, and their
/// ids. `change` answers whether it did.
pub(super) fn clocks(
    engine: &mut Engine,
    after: u64,
    mut change: impl FnMut(&mut Option<RowId>, &mut RowClock) -> bool,
) -> Result<(), StoreError> {
    let names: Vec<(usize, bool, String)> = clock_tables(engine)
        .into_iter()
        .map(|(table, with_id, name)| (if with_id { 1 } else { table.key.len() }, with_id, name))
        .collect();
    for (keys, with_id, name) in names {
        let matches: Vec<String> = (0..keys).map(|n| format!("{} = ?{}", key_column(n + 1), n + 3)).collect();
        // Where there is no id, NULL is bound in its place.
        let set = if with_id { "r = ?1, id = ?2" } else { "r = coalesce(?1, ?2)" };
        let update = format!("UPDATE {name} SET {set} WHERE {}", matches.join(" AND "));
        let Engine { conn, sites, .. } = &mut *engine;
        let mut statement = conn.prepare_cached(&select(&name, keys, with_id))?;
        let mut update = conn.prepare_cached(&update)?;
        let mut rows = statement.query([after as i64])?;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let mut clock = RowClock::decode(bytes, sites)?;
            let id = row.get_ref(1)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            let mut id = id.map(|id| expand_id(id, sites)).transpose()?;
            if !change(&mut id, &mut clock) {
                continue;
            }
            let mut params = vec![
                Value::Blob(clock.encode(sites)),
                id.map_or(Value::Null, |id| Value::Blob(compact_id(&id, sites))),
            ];
            for n in 0..keys {
                params.push(value(row.get_ref(2 + n)?));
            }
            update.execute(params_from_iter(bound(&params)))?;
        }
    }
    Ok(())
}

/// The local keys of shown rows that changed after `after` and have merged values beside them.
pub(in super::super) fn shadowed(engine: &Engine, after: u64) -> Result<Vec<(u32, LocalKey)>, StoreError> {
    let mut keys = Vec::new();
    for (table, with_id, name) in clock_tables(engine) {
        let count = if with_id { 1 } else { table.key.len() };
        let mut statement = engine.conn.prepare_cached(&select(&name, count, with_id))?;
        let mut rows = statement.query([after as i64])?;
        while let Some(row) = rows.next()? {
            let clock = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            if !RowClock::decode(clock, &engine.sites)?.shadowed {
                continue;
            }
            let key = (0..count).map(|n| Ok(value(row.get_ref(2 + n)?)));
            let key = key.collect::<rusqlite::Result<LocalKey>>()?;
            keys.push((
                table.no,
                match &key[..] {
                    [Value::Integer(rowid)] if with_id && !table.is_surrogate() => null_key(*rowid),
                    _ => key,
                },
            ));
        }
    }
    Ok(keys)
}

/// The records aside that changed after `after`.
pub(super) fn records(engine: &Engine, after: u64) -> Result<Vec<(u32, RowId, Record)>, StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT tbl, id, state FROM __pocketsync_aside WHERE seq > ?1 ORDER BY seq, tbl, id",
    )?;
    let mut rows = statement.query([after as i64])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let id = expand_id(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?;
        let state = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        records.push((row.get(0)?, id, Record::decode(state, &engine.sites)?));
    }
    Ok(records)
}

/// Stores a record again, under an id that may be new.
pub(super) fn put_record(
    engine: &mut Engine,
    table: u32,
    old: &RowId,
    new: &RowId,
    record: &Record,
) -> Result<(), StoreError> {
    let Some(old) = find_compact_id(old, &engine.sites) else { return Ok(()) };
    let new = compact_id(new, &mut engine.sites);
    let state = record.encode(&mut engine.sites);
    engine
        .conn
        .prepare_cached("UPDATE __pocketsync_aside SET id = ?3, state = ?4 WHERE tbl = ?1 AND id = ?2")?
        .execute((table, old, new, state))?;
    Ok(())
}
