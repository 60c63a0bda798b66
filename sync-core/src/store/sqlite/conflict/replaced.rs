//! Two writes of one cell that met here, of which the application could not see one.

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::park::table_sql;
use super::super::refs;
use super::log;
use crate::clock::Version;
use crate::conflict::{LoggedConflict, Strategy, Winner, Write, Written};
use crate::id::RowId;
use crate::merge::Cell;
use crate::store::{Record, StoreError};
use crate::value::Value;

/// Logs that two writes of one column of a shown row met here, because it went by two names or was not there: the one
/// that is in the table under the number `column`, written at `held`, and one that nobody could see there.
pub(in super::super) fn log_joined(
    engine: &mut Engine,
    table: &Table,
    (id, at): (&RowId, &[Value]),
    (column, name): (u32, &str),
    held: Version,
    came: &Cell,
) -> Result<(), StoreError> {
    let Some(position) = table.position(column).filter(|_| held != came.version) else { return Ok(()) };
    let shown = table_sql::read(engine, table, at)?;
    let Some(local) = shown.get(position) else { return Ok(()) };
    log_hidden(engine, table, (id, name), (position, local, held), came)
}

/// Logs what `record` held of a row, whose key was inserted anew at `version` by an application that could not see it.
pub(in super::super) fn log_replaced(
    engine: &mut Engine,
    table: &Table,
    (id, at): (&RowId, &[Value]),
    record: &Record,
    version: Version,
) -> Result<(), StoreError> {
    let shown = table_sql::read(engine, table, at)?;
    for (&column, held) in record.cells.iter().filter(|(_, held)| record.life.covers(held.cell.version)) {
        let Some(position) = table.position(column).filter(|_| !table.merges.contains_key(&column)) else {
            continue;
        };
        if let (Some(local), Some(name)) = (shown.get(position), engine.wire_column_name(table.no, column)?) {
            log_hidden(engine, table, (id, &name), (position, local, version), &held.cell)?;
        }
    }
    Ok(())
}

/// Logs that a table shows a value, written at `version`, and that `hidden` was of the same cell.
fn log_hidden(
    engine: &mut Engine,
    table: &Table,
    (id, name): (&RowId, &str),
    (position, local, version): (usize, &Value, Version),
    hidden: &Cell,
) -> Result<(), StoreError> {
    let value = match &table.columns[position].reference {
        Some(reference) => refs::to_global(engine, reference, local)?,
        None => local.clone(),
    };
    if value == hidden.value {
        return Ok(());
    }
    let conflict = LoggedConflict {
        id: 0,
        logged_ms: version.hlc.max(hidden.version.hlc).ms(),
        table: engine.wire_table_name(table.no)?,
        row: id.clone(),
        column: Some(name.to_owned()),
        here: Write::new(Written::Value(value), version),
        came: Write::new(Written::Value(hidden.value.clone()), hidden.version),
        winner: if hidden.version > version { Winner::Came } else { Winner::Here },
        rule: Strategy::default().as_str().to_owned(),
        open: false,
    };
    let by = engine.sites.ordinal(hidden.version.site);
    log::put(engine, by, &conflict, None)
}
