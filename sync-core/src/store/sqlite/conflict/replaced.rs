//! What a row held that waited to be shown when another one was inserted under its key.

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

/// Logs that two writes of one column of a shown row met here, because it went by two names: the one that is in the
/// table under the number `column`, written at `held`, and one that nobody could see there.
pub(in super::super) fn log_joined(
    engine: &mut Engine,
    table: &Table,
    (id, at): (&RowId, &[Value]),
    (column, name): (u32, &str),
    held: Version,
    came: &Cell,
) -> Result<(), StoreError> {
    let Some(position) = table.position(column) else { return Ok(()) };
    let Some(local) = table_sql::read(engine, table, at)?.get(position).cloned() else { return Ok(()) };
    let value = match &table.columns[position].reference {
        Some(reference) => refs::to_global(engine, reference, &local)?,
        None => local,
    };
    if value == came.value || held == came.version {
        return Ok(());
    }
    let conflict = LoggedConflict {
        id: 0,
        logged_ms: held.hlc.max(came.version.hlc).ms(),
        table: engine.wire_table_name(table.no)?,
        row: id.clone(),
        column: Some(name.to_owned()),
        here: Write::new(Written::Value(value), held),
        came: Write::new(Written::Value(came.value.clone()), came.version),
        winner: if came.version > held { Winner::Came } else { Winner::Here },
        rule: Strategy::default().as_str().to_owned(),
        open: false,
    };
    let by = engine.sites.ordinal(came.version.site);
    log::put(engine, by, &conflict, None)
}

/// Logs what `record` held of a row, whose key was inserted anew at `version` by an application that could not see it.
pub(in super::super) fn log_replaced(
    engine: &mut Engine,
    table: &Table,
    (id, at): (&RowId, &[Value]),
    record: &Record,
    version: Version,
) -> Result<(), StoreError> {
    let name = engine.wire_table_name(table.no)?;
    let shown = table_sql::read(engine, table, at)?;
    for (&column, held) in record.cells.iter().filter(|(_, held)| record.life.covers(held.cell.version)) {
        let Some(position) = table.position(column).filter(|_| !table.merges.contains_key(&column)) else {
            continue;
        };
        let (Some(local), Some(column_name)) =
            (shown.get(position), engine.wire_column_name(table.no, column)?)
        else {
            continue;
        };
        let value = match &table.columns[position].reference {
            Some(reference) => refs::to_global(engine, reference, local)?,
            None => local.clone(),
        };
        if value == held.cell.value {
            continue;
        }
        let came = Write::new(Written::Value(held.cell.value.clone()), held.cell.version);
        let conflict = LoggedConflict {
            id: 0,
            logged_ms: version.hlc.ms(),
            table: name.clone(),
            row: id.clone(),
            column: Some(column_name),
            here: Write::new(Written::Value(value), version),
            came,
            winner: Winner::Here,
            rule: Strategy::default().as_str().to_owned(),
            open: false,
        };
        let by = engine.sites.ordinal(held.cell.version.site);
        log::put(engine, by, &conflict, None)?;
    }
    Ok(())
}
