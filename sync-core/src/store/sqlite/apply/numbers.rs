//! The numbers of the tables and columns that a changeset names. What the local schema does not
//! have gets numbers too, since rows of theirs are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::catalog::Catalog;
use super::super::engine::Engine;
use super::super::merging::{self, SHARES_FROM};
use crate::change::{CellChange, RowChange, TableChanges};
use crate::merge::share::ShareName;
use crate::store::StoreError;

/// The table's number, and for each column of the changes its number.
pub(crate) fn numbers(engine: &mut Engine, changes: &TableChanges) -> Result<(u32, Vec<u32>), StoreError> {
    let other_name = engine.catalog.renames.table(&changes.name);
    let by_other = || engine.catalog.number(other_name.as_ref()?);
    let table_no = match engine.catalog.number(&changes.name).or_else(by_other) {
        Some(no) => no,
        None => add_table(engine, other_name.as_ref().unwrap_or(&changes.name))?,
    };
    Ok((table_no, column_numbers(engine, table_no, changes)?))
}

/// The number of each column of changes.
fn column_numbers(
    engine: &mut Engine,
    table_no: u32,
    changes: &TableChanges,
) -> Result<Vec<u32>, StoreError> {
    let renamed: Vec<Option<String>> =
        changes.columns.iter().map(|name| other_column_name(engine, table_no, name)).collect();
    let mut known: BTreeMap<String, u32> = match engine.catalog.tables.get(&table_no) {
        Some(table) => table.numbers.iter().map(|(name, &no)| (name.to_ascii_lowercase(), no)).collect(),
        None => stored_columns(engine, table_no)?,
    };
    let mut columns = Vec::with_capacity(changes.columns.len());
    for (name, renamed) in changes.columns.iter().zip(renamed) {
        let lower = name.to_ascii_lowercase();
        let other = || known.get(renamed.as_ref()?).copied();
        columns.push(match known.get(&lower).copied().or_else(other) {
            Some(no) => no,
            None => {
                let no = add_column(engine, table_no, renamed.as_ref().unwrap_or(name))?;
                known.insert(renamed.unwrap_or(lower), no);
                no
            }
        });
    }
    Ok(columns)
}

/// The number of a column by the name that others know, a new one if there is none.
pub(in super::super) fn column_number(
    engine: &mut Engine,
    table_no: u32,
    name: &str,
) -> Result<u32, StoreError> {
    let changes = TableChanges { name: String::new(), columns: vec![name.to_owned()], rows: Vec::new() };
    Ok(column_numbers(engine, table_no, &changes)?[0])
}

/// Leaves one cell a column where two names of the changes mean the same column: the one that wins
/// a merge.
pub(crate) fn one_cell_a_column(change: &mut RowChange, columns: &[u32]) {
    let mut cells: BTreeMap<u32, CellChange> = BTreeMap::new();
    for cell in std::mem::take(&mut change.cells) {
        let kept = cells.entry(columns[cell.column as usize]).or_insert_with(|| cell.clone());
        if (cell.version, &cell.value) > (kept.version, &kept.value) {
            *kept = cell;
        }
    }
    change.cells = cells.into_values().collect();
}

/// The name that a renamed column has among replicas.
fn other_column_name(engine: &Engine, table_no: u32, name: &str) -> Option<String> {
    if engine.catalog.renames.is_empty() {
        return None;
    }
    let tables = &engine.catalog.numbers;
    let table = tables.iter().find(|(_, no)| **no == table_no).map(|(name, _)| name.as_str())?;
    engine.catalog.renames.column(table, name)
}

fn add_table(engine: &mut Engine, name: &str) -> Result<u32, StoreError> {
    let no: u32 =
        engine
            .conn
            .query_row("SELECT coalesce(max(no), 0) + 1 FROM __pocketsync_table", [], |row| row.get(0))?;
    engine.conn.execute(
        "INSERT INTO __pocketsync_table(no, name, tracked, identity, fingerprint) VALUES(?1, ?2, 0, '', '')",
        (no, name),
    )?;
    Arc::make_mut(&mut engine.catalog).numbers.insert(name.to_owned(), no);
    Ok(no)
}

fn stored_columns(engine: &Engine, table_no: u32) -> Result<BTreeMap<String, u32>, StoreError> {
    let mut statement =
        engine.conn.prepare_cached("SELECT name, no FROM __pocketsync_column WHERE tbl = ?1")?;
    let rows = statement
        .query_map([table_no], |row| Ok((row.get::<_, String>(0)?.to_ascii_lowercase(), row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn add_column(engine: &mut Engine, table_no: u32, name: &str) -> Result<u32, StoreError> {
    let share = ShareName::parse(name);
    let (first, end) = if share.is_some() { (SHARES_FROM, u32::MAX) } else { (0, SHARES_FROM) };
    let no: u32 = engine.conn.query_row(
        "SELECT coalesce(max(no) + 1, ?2) FROM __pocketsync_column WHERE tbl = ?1 AND no >= ?2 AND no < ?3",
        (table_no, first, end),
        |row| row.get(0),
    )?;
    engine
        .conn
        .execute("INSERT INTO __pocketsync_column(tbl, no, name) VALUES(?1, ?2, ?3)", (table_no, no, name))?;
    if let Some(table) = Arc::make_mut(&mut engine.catalog).tables.get_mut(&table_no) {
        table.numbers.insert(name.to_owned(), no);
    }
    let Catalog { tables, renames, .. } = Arc::make_mut(&mut engine.catalog);
    if let (Some(share), Some(table)) = (&share, tables.get_mut(&table_no)) {
        merging::learn(&engine.conn, table, renames, share, no)?;
    }
    Ok(no)
}
