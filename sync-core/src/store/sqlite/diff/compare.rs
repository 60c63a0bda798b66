//! Going through the rows of two snapshots.

use std::collections::{BTreeMap, BTreeSet};

use super::super::engine::Engine;
use super::super::park::row::Row;
use super::super::refs;
use super::super::row_clock::expand_id;
use super::super::system::{AsideReason, clock_table, key_columns_list, null_key_clock_table};
use super::report::{ColumnDifference, DiffReport, Difference, Side};
use super::snapshot::Snapshot;
use super::{DiffError, MAX_DIFFERENCES};
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// Compares every row of either snapshot with the other's.
pub(super) fn compare(a: &Snapshot, b: &Snapshot) -> Result<DiffReport, DiffError> {
    let in_a = |error| DiffError::Store { path: a.path.clone(), error };
    let in_b = |error| DiffError::Store { path: b.path.clone(), error };
    let mut report = DiffReport { a: side(a), b: side(b), differences: Vec::new(), more: 0 };
    let names: BTreeSet<&String> =
        a.engine.catalog.numbers.keys().chain(b.engine.catalog.numbers.keys()).collect();
    for name in names {
        each_id(&a.engine, name, |id| {
            let Some(ours) = held(&a.engine, name, id)? else { return Ok(()) };
            count(&mut report.a, &ours);
            let theirs = held(&b.engine, name, id)?;
            if theirs.as_ref() != Some(&ours) {
                add(&mut report, name, id, Some(ours), theirs);
            }
            Ok(())
        })
        .map_err(in_a)?;
        each_id(&b.engine, name, |id| {
            let Some(theirs) = held(&b.engine, name, id)? else { return Ok(()) };
            count(&mut report.b, &theirs);
            if held(&a.engine, name, id)?.is_none() {
                add(&mut report, name, id, None, Some(theirs));
            }
            Ok(())
        })
        .map_err(in_b)?;
    }
    Ok(report)
}

fn side(snapshot: &Snapshot) -> Side {
    Side { path: snapshot.path.clone(), rows: 0, parked: 0, unfolded: snapshot.unfolded }
}

fn count(side: &mut Side, held: &Held) {
    side.rows += 1;
    side.parked += u64::from(held.place != "shown");
}

/// A row as a comparison sees it.
#[derive(PartialEq)]
struct Held {
    place: &'static str,
    values: BTreeMap<String, Value>,
}

/// What a file holds of a row; `None` where there is none, or a dead one.
fn held(engine: &Engine, table: &str, id: &RowId) -> Result<Option<Held>, StoreError> {
    let Some(&table_no) = engine.catalog.numbers.get(table) else { return Ok(None) };
    let row = Row::load(engine, &(table_no, id.clone()))?;
    let place = match (&row.at, row.aside) {
        (Some(_), _) => "shown",
        (None, Some(reason)) if reason != AsideReason::Deleted => reason.as_str(),
        _ => return Ok(None),
    };
    let mut values = BTreeMap::new();
    let tracked = engine.catalog.tables.get(&table_no);
    // Columns that were never written show their defaults.
    for (column, value) in tracked.iter().flat_map(|table| &table.columns).zip(&row.local) {
        values.insert(column.name.to_ascii_lowercase(), value.clone());
    }
    let names = column_names(engine, table_no)?;
    for (no, cell) in &row.record.cells {
        if let Some(name) = names.get(no) {
            values.insert(name.to_ascii_lowercase(), cell.cell.value.clone());
        }
    }
    for (part, column) in
        tracked.iter().flat_map(|table| table.key.iter().map(|&at| &table.columns[at])).enumerate()
    {
        match id {
            RowId::Natural(parts) => values.insert(column.name.to_ascii_lowercase(), parts[part].clone()),
            // Each replica hands out its own integers.
            _ if tracked.is_some_and(|table| table.is_surrogate()) => {
                values.remove(&column.name.to_ascii_lowercase())
            }
            _ => None,
        };
    }
    Ok(Some(Held { place, values }))
}

fn column_names(engine: &Engine, table_no: u32) -> Result<BTreeMap<u32, String>, StoreError> {
    if let Some(table) = engine.catalog.tables.get(&table_no) {
        return Ok(table.numbers.iter().map(|(name, &no)| (no, name.clone())).collect());
    }
    let mut statement =
        engine.conn.prepare_cached("SELECT no, name FROM __pocketsync_column WHERE tbl = ?1")?;
    let names = statement.query_map([table_no], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// Calls `visit` with the id of every row of a table that is shown or aside.
fn each_id(
    engine: &Engine,
    table: &str,
    mut visit: impl FnMut(&RowId) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let Some(&table_no) = engine.catalog.numbers.get(table) else { return Ok(()) };
    let mut by_id = vec![format!(
        "SELECT id FROM __pocketsync_aside WHERE tbl = {table_no} AND reason <> 'deleted' ORDER BY id"
    )];
    if let Some(tracked) = engine.catalog.tables.get(&table_no) {
        if tracked.is_surrogate() {
            by_id.insert(0, format!("SELECT id FROM {} ORDER BY k", clock_table(table_no)));
        } else {
            let keys = key_columns_list(tracked.key.len());
            let mut statement = engine
                .conn
                .prepare(&format!("SELECT {keys} FROM {} ORDER BY {keys}", clock_table(table_no)))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let key = (0..tracked.key.len()).map(|n| row.get_ref(n).map(refs::value));
                let key: Vec<Value> = key.collect::<rusqlite::Result<_>>()?;
                if let Some(id) = refs::row_id(engine, table_no, &key)? {
                    visit(&id)?;
                }
            }
        }
        if tracked.nullable_key {
            by_id.push(format!("SELECT id FROM {} ORDER BY k", null_key_clock_table(table_no)));
        }
    }
    for sql in by_id {
        let mut statement = engine.conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = expand_id(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?;
            visit(&id)?;
        }
    }
    Ok(())
}

fn add(report: &mut DiffReport, table: &str, id: &RowId, a: Option<Held>, b: Option<Held>) {
    if report.differences.len() >= MAX_DIFFERENCES {
        report.more += 1;
        return;
    }
    let value = |held: &Option<Held>, column: &String| {
        held.as_ref().and_then(|held| held.values.get(column)).map(Value::to_string)
    };
    let columns: BTreeSet<&String> = a.iter().chain(&b).flat_map(|held| held.values.keys()).collect();
    let columns = columns
        .into_iter()
        .map(|column| ColumnDifference { column: column.clone(), a: value(&a, column), b: value(&b, column) })
        .filter(|column| column.a != column.b)
        .collect();
    report.differences.push(Difference {
        table: table.to_owned(),
        row: id.to_string(),
        a: a.map(|held| held.place.to_owned()),
        b: b.map(|held| held.place.to_owned()),
        columns,
    });
}
