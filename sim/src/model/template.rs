//! The rows that the schema itself inserts.
//!
//! They are there from the start on every device, the same row everywhere, although each device
//! numbers its own. They are written by nobody, so they are not lost with any device.

use std::collections::BTreeMap;

use pocketsync_core::value::Value;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::scope::EPOCH_MS;
use crate::history::{Commit, Did, Effect};
use crate::shape::{Key, Role, RowTag, Shape, TableShape};
use crate::story::{DeviceNo, TxId};

/// Who has written them: a device that there is not.
pub(super) const NOBODY: DeviceNo = DeviceNo(u32::MAX);

/// What the schema inserts, each row for itself: nobody promises that such rows go together.
pub(super) fn of(shape: &Shape) -> Vec<Commit> {
    // A shape was read off its SQL, so the SQL is good; one without SQL has no rows.
    let rows = read(shape).unwrap_or_default();
    let commit = |effect| Commit { device: NOBODY, tx: TxId(0), wall_ms: EPOCH_MS, effects: vec![effect] };
    rows.into_iter().map(commit).collect()
}

/// Whether the schema inserts any.
pub(crate) fn begins_with_rows(shape: &Shape) -> bool {
    read(shape).is_ok_and(|rows| !rows.is_empty())
}

fn read(shape: &Shape) -> rusqlite::Result<Vec<Effect>> {
    let sqlite = Connection::open_in_memory()?;
    sqlite.execute_batch(&shape.sql)?;
    let raw: Vec<_> = shape.tables.iter().map(|table| rows(&sqlite, table)).collect::<Result<_, _>>()?;
    let mut names = Names(vec![BTreeMap::new(); shape.tables.len()]);
    // Tables come after those that they refer to. A table may refer to itself: its names first.
    for (number, table) in shape.tables.iter().enumerate() {
        let Some(key) = key_columns(table).first() else { continue };
        let named = raw[number].iter().filter_map(|row| Some((row[*key].clone(), names.name(table, row)?)));
        names.0[number] = named.collect();
    }
    let mut effects = Vec::new();
    for ((number, table), rows) in shape.tables.iter().enumerate().zip(&raw) {
        for row in rows {
            let Some(name) = names.name(table, row) else { continue };
            let cells =
                row.iter().zip(&table.columns).map(|(value, column)| names.shown(value, &column.role));
            let did = Did::Inserted { cells: cells.collect() };
            effects.push(Effect { row: RowTag { table: number, name }, did });
        }
    }
    Ok(effects)
}

fn rows(sqlite: &Connection, table: &TableShape) -> rusqlite::Result<Vec<Vec<Value>>> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let mut select =
        sqlite.prepare(&format!("SELECT {} FROM {}", columns.join(", "), quoted(&table.name)))?;
    let value = |value: ValueRef<'_>| match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(text.to_vec()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    };
    let rows =
        select.query_map([], |row| (0..columns.len()).map(|at| Ok(value(row.get_ref(at)?))).collect())?;
    rows.collect()
}

fn key_columns(table: &TableShape) -> &[usize] {
    match &table.key {
        Key::Surrogate { column } => std::slice::from_ref(column),
        Key::Natural { columns } => columns,
    }
}

/// What the rows of each table are called, by the (first part of the) key by which others refer to
/// them.
struct Names(Vec<BTreeMap<Value, String>>);

impl Names {
    /// `None` where nothing says which row it is.
    fn name(&self, table: &TableShape, row: &[Value]) -> Option<String> {
        match &table.key {
            Key::Surrogate { .. } => table.tag().map(|tag| word(&row[tag])),
            Key::Natural { columns } => {
                let part = |column: &usize| word(&self.shown(&row[*column], &table.columns[*column].role));
                Some(columns.iter().map(part).collect::<Vec<_>>().join("|"))
            }
        }
    }

    fn shown(&self, value: &Value, role: &Role) -> Value {
        match role {
            Role::RowKey => Value::Null,
            Role::Reference { table } if *value != Value::Null => match self.0[*table].get(value) {
                Some(name) => Value::text(name),
                None => Value::text(&format!("?{}", word(value))),
            },
            _ => value.clone(),
        }
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => other.to_string(),
    }
}
