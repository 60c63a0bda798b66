//! Changes that the hub did not take, told to people.

use std::collections::BTreeMap;

use super::parked::{Parked, ParkedReason, handle, values};
use crate::change::RowChange;
use crate::merge::Cell;
use crate::store::sqlite::engine::Engine;
use crate::store::sqlite::refused::{self, Entry};
use crate::store::{Record, RecordCell, RefusalReason, StoreError};

pub(super) fn list(engine: &Engine) -> Result<Vec<Parked>, StoreError> {
    let mut found = Vec::new();
    for Entry { table_no, reason, since_ms, changes } in refused::list(engine)? {
        let wire_name = engine.wire_table_name(table_no)?;
        let table = engine.catalog.tables.get(&table_no);
        let name = table.map_or(wire_name, |table| table.name.clone());
        for change in changes.rows {
            let sentence = sentence(&name, reason, &change);
            let id = change.id.clone();
            let record = record(engine, table_no, &changes.columns, change)?;
            let (key, values) = values(engine, table_no, &id, &record)?;
            found.push(Parked {
                handle: handle(&name, &id, 1),
                key,
                reason: ParkedReason::NotAllowed,
                sentence,
                since_ms,
                values,
                table: name.clone(),
                row: id,
            });
        }
    }
    Ok(found)
}

/// What was refused, as a row of which nothing else is known.
fn record(
    engine: &Engine,
    table_no: u32,
    columns: &[String],
    change: RowChange,
) -> Result<Record, StoreError> {
    let sql = "SELECT no, name FROM __pocketsync_column WHERE tbl = ?1";
    let mut numbers = engine.conn.prepare_cached(sql)?;
    let numbers =
        numbers.query_map([table_no], |row| Ok((row.get::<_, String>(1)?, row.get::<_, u32>(0)?)))?;
    let numbers: BTreeMap<String, u32> =
        numbers.map(|row| row.map(|(name, no)| (name.to_ascii_lowercase(), no))).collect::<Result<_, _>>()?;
    let mut record = Record { life: change.life, ..Record::default() };
    for cell in change.cells {
        let name = columns[cell.column as usize].to_ascii_lowercase();
        if let Some(&number) = numbers.get(&name) {
            let cell = Cell { version: cell.version, value: cell.value };
            record.cells.insert(number, RecordCell { cell, seq: 0 });
        }
    }
    Ok(record)
}

fn sentence(table: &str, reason: RefusalReason, change: &RowChange) -> String {
    let what = match (change.life.born, change.life.died) {
        (born, Some(died)) if born < Some(died) => "a deletion",
        (Some(_), _) => "a new row",
        _ => "a change",
    };
    match reason {
        RefusalReason::NoWrite => {
            format!("the hub did not take it: {what} in {table}, and this device may not write")
        }
        RefusalReason::Table => {
            format!("the hub did not take it: {what} in {table}, which this device may not write")
        }
        RefusalReason::Relay => {
            format!(
                "the hub did not take it: {what} in {table} that another device made, and this one may only bring its own"
            )
        }
        RefusalReason::Other(number) => {
            format!("the hub did not take it: {what} in {table} (reason {number})")
        }
    }
}
