//! Local keys to global ids and back.

use rusqlite::OptionalExtension;

use super::super::catalog::Reference;
use super::super::engine::Engine;
use super::super::system::quote;
use super::LocalKey;
use super::clocks::{has_clock, id_of_integer, integer_of_id};
use super::values::{Bound, value};
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// The local key of a row of a natural-key table whose key holds a NULL.
///
/// ```
/// use pocketsync_core::store::sqlite::refs;
/// use pocketsync_core::value::Value;
/// assert!(refs::is_null_key(&refs::null_key(7)));
/// assert!(!refs::is_null_key(&[Value::Integer(7)]));
/// ```
pub fn null_key(rowid: i64) -> LocalKey {
    Box::new([Value::Null, Value::Integer(rowid)])
}

/// Whether a local key is a [`null_key`].
pub fn is_null_key(key: &[Value]) -> bool {
    matches!(key, [Value::Null, Value::Integer(_)])
}

/// A value as part of a natural id: numbers that SQLite takes for the same key are the same.
///
/// ```
/// use pocketsync_core::store::sqlite::refs::key_value;
/// use pocketsync_core::value::Value;
/// assert_eq!(key_value(Value::Real(2.0)), Value::Integer(2));
/// assert_eq!(key_value(Value::Real(2.5)), Value::Real(2.5));
/// ```
pub fn key_value(value: Value) -> Value {
    // 2^63 and what is above it has no integer form; the cast is exact below.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Real(real) if real.fract() == 0.0 && (-LIMIT..LIMIT).contains(&real) => {
            Value::Integer(real as i64)
        }
        other => other,
    }
}

/// The global id of the row under a local key.
///
/// A natural key has an id whether or not there is such a row. `None` for a surrogate key without
/// a clock: no such row, or not folded yet; and for a table that is not tracked here.
///
/// # Errors
/// When a clock table cannot be read.
pub fn row_id(engine: &Engine, table_no: u32, local_key: &[Value]) -> Result<Option<RowId>, StoreError> {
    let Some(sql) = engine.sql(table_no) else { return Ok(None) };
    let Some(table) = engine.catalog.tables.get(&table_no) else { return Ok(None) };
    if let [Value::Null, Value::Integer(rowid)] = local_key {
        let Some(clock_sql) = &sql.null_clock else { return Ok(None) };
        return id_of_integer(engine, clock_sql, *rowid);
    }
    if table.is_surrogate() {
        let [Value::Integer(key)] = local_key else { return Ok(None) };
        return id_of_integer(engine, &sql.clock, *key);
    }
    if let Some(id) = super::alias_at(engine, table_no, local_key)? {
        return Ok(Some(id));
    }
    meant_by(engine, table_no, local_key)
}

/// The id that a natural key stands for by what its parts refer to now, whichever row is shown there.
/// `None` for a table that is not tracked here.
///
/// # Errors
/// When the tables cannot be read.
pub fn meant_by(engine: &Engine, table_no: u32, local_key: &[Value]) -> Result<Option<RowId>, StoreError> {
    let Some(table) = engine.catalog.tables.get(&table_no) else { return Ok(None) };
    let mut parts = Vec::with_capacity(local_key.len());
    for (local, &position) in local_key.iter().zip(&table.key) {
        parts.push(match &table.columns[position].reference {
            Some(reference) => to_global(engine, reference, local)?,
            None => key_value(local.clone()),
        });
    }
    Ok(Some(RowId::Natural(parts.into())))
}

/// The local key of a row that its table shows; `None` where it does not.
///
/// # Errors
/// When a clock table cannot be read.
pub fn local_key(engine: &Engine, table_no: u32, id: &RowId) -> Result<Option<LocalKey>, StoreError> {
    let Some(sql) = engine.sql(table_no) else { return Ok(None) };
    let Some(table) = engine.catalog.tables.get(&table_no) else { return Ok(None) };
    let RowId::Natural(parts) = id else {
        return Ok(if table.is_surrogate() {
            integer_of_id(engine, &sql.clock, id)?.map(|key| Box::new([Value::Integer(key)]) as LocalKey)
        } else if let Some(clock_sql) = &sql.null_clock {
            integer_of_id(engine, clock_sql, id)?.map(null_key)
        } else {
            None
        });
    };
    if table.is_surrogate() || parts.len() != table.key.len() {
        return Ok(None);
    }
    if let Some(key) = super::alias_of(engine, table_no, id)? {
        return Ok(has_clock(engine, table_no, &key)?.then_some(key));
    }
    let mut key = Vec::with_capacity(parts.len());
    for (part, &position) in parts.iter().zip(&table.key) {
        let local = match (&table.columns[position].reference, part) {
            (Some(reference), part) => to_local(engine, reference, part)?,
            (None, Value::Ref(_) | Value::Dangling(_)) => None,
            (None, plain) => Some(plain.clone()),
        };
        let Some(local) = local else { return Ok(None) };
        // What dangled at its origin is another row than the one that has a target here.
        if let (Value::Dangling(_), Some(reference)) = (part, &table.columns[position].reference)
            && to_global(engine, reference, &local)? != *part
        {
            return Ok(None);
        }
        key.push(local);
    }
    // Another row may be shown there.
    let is_shown = has_clock(engine, table_no, &key)? && super::alias_at(engine, table_no, &key)?.is_none();
    Ok(is_shown.then(|| key.into()))
}

/// What a referring column's value says globally: the row that it points at, or
/// [`Value::Dangling`] where there is none. NULL stays NULL.
///
/// # Errors
/// When the tables cannot be read.
pub fn to_global(engine: &Engine, reference: &Reference, local: &Value) -> Result<Value, StoreError> {
    let dangling = || Ok(Value::Dangling(Box::new(key_value(local.clone()))));
    if let Value::Null = local {
        return Ok(Value::Null);
    }
    let Some(sql) = engine.sql(reference.table) else { return dangling() };
    let key = match parent_column(engine, reference) {
        None => match key_value(local.clone()) {
            Value::Integer(integer) => Some(integer),
            _ => None,
        },
        Some(Parent { table, key, column }) => engine
            .conn
            .prepare_cached(&format!("SELECT {key} FROM {table} WHERE {column} = ?1"))?
            .query_row([Bound(local)], |row| row.get(0))
            .optional()?,
    };
    let Some(key) = key else { return dangling() };
    match id_of_integer(engine, &sql.clock, key)? {
        Some(id) => Ok(Value::Ref(Box::new(id))),
        None => dangling(),
    }
}

/// What the referring column shows here for a merged value: the key of the row that it points
/// at; `None` where that row is not shown here. All but [`Value::Ref`] is shown as it is.
///
/// # Errors
/// When the tables cannot be read.
pub fn to_local(engine: &Engine, reference: &Reference, global: &Value) -> Result<Option<Value>, StoreError> {
    let id = match global {
        Value::Ref(id) => id,
        Value::Dangling(shown) => return Ok(Some((**shown).clone())),
        plain => return Ok(Some(plain.clone())),
    };
    let Some(sql) = engine.sql(reference.table) else { return Ok(None) };
    let Some(key) = integer_of_id(engine, &sql.clock, id)? else { return Ok(None) };
    match parent_column(engine, reference) {
        None => Ok(Some(Value::Integer(key))),
        Some(Parent { table, key: name, column }) => {
            let sql = format!("SELECT {column} FROM {table} WHERE {name} = ?1");
            let mut statement = engine.conn.prepare_cached(&sql)?;
            let mut rows = statement.query([key])?;
            Ok(rows.next()?.map(|row| row.get_ref(0).map(value)).transpose()?)
        }
    }
}

/// Quoted names of a table, of its integer key, and of the other column that is referred to.
struct Parent {
    table: String,
    key: String,
    column: String,
}

/// The parent of a reference to another column than the integer key.
fn parent_column(engine: &Engine, reference: &Reference) -> Option<Parent> {
    let parent = engine.catalog.tables.get(&reference.table)?;
    let key = &parent.columns[parent.integer_key()?].name;
    (!key.eq_ignore_ascii_case(&reference.column)).then(|| Parent {
        table: quote(&parent.name),
        key: quote(key),
        column: quote(&reference.column),
    })
}
