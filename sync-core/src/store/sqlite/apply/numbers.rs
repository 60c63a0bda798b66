//! The numbers of the tables and columns that a changeset names. What the local schema does not
//! have gets numbers too, since rows of theirs are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::engine::Engine;
use crate::change::TableChanges;
use crate::store::StoreError;

/// The table's number, and for each column of the changes its number.
pub(crate) fn numbers(engine: &mut Engine, changes: &TableChanges) -> Result<(u32, Vec<u32>), StoreError> {
    let table_no = match engine.catalog.by_name(&changes.name) {
        Some(table) => table.no,
        None => match engine.catalog.numbers.get(&changes.name) {
            Some(&no) => no,
            None => add_table(engine, &changes.name)?,
        },
    };
    let mut known: BTreeMap<String, u32> = match engine.catalog.tables.get(&table_no) {
        Some(table) => table.numbers.iter().map(|(name, &no)| (name.to_ascii_lowercase(), no)).collect(),
        None => stored_columns(engine, table_no)?,
    };
    let mut columns = Vec::with_capacity(changes.columns.len());
    for name in &changes.columns {
        let lower = name.to_ascii_lowercase();
        columns.push(match known.get(&lower) {
            Some(&no) => no,
            None => {
                let no = add_column(engine, table_no, name)?;
                known.insert(lower, no);
                no
            }
        });
    }
    Ok((table_no, columns))
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
    let no: u32 = engine.conn.query_row(
        "SELECT coalesce(max(no) + 1, 0) FROM __pocketsync_column WHERE tbl = ?1",
        [table_no],
        |row| row.get(0),
    )?;
    engine
        .conn
        .execute("INSERT INTO __pocketsync_column(tbl, no, name) VALUES(?1, ?2, ?3)", (table_no, no, name))?;
    if let Some(table) = Arc::make_mut(&mut engine.catalog).tables.get_mut(&table_no) {
        table.numbers.insert(name.to_owned(), no);
    }
    Ok(no)
}
