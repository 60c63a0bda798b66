//! The journal, clock tables and triggers, made to fit the catalog.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::catalog::{Catalog, Table};
use super::super::system::{
    PREFIX, clock_table, create_clock_table, key_column, key_columns_list, null_key_clock_table,
};
use super::triggers::{self, table_triggers};

/// Makes what is missing and replaces what is outdated. Answers with the numbers of the tables
/// that had lost a trigger: writes to them may have gone unseen.
pub(in super::super) fn install(conn: &Connection, catalog: &Catalog) -> rusqlite::Result<Vec<u32>> {
    let width = catalog.tables.values().map(|table| table.key.len()).max().unwrap_or(1);
    journal(conn, width)?;
    let mut bare = Vec::new();
    for table in catalog.tables.values() {
        clock_tables(conn, table)?;
        if lay_triggers(conn, table)? {
            bare.push(table.no);
        }
    }
    Ok(bare)
}

/// Creates the journal, or widens it. Its columns have no type, so that keys keep theirs, and no
/// constraint, so that no conflict clause of an application's statement reaches it.
fn journal(conn: &Connection, width: usize) -> rusqlite::Result<()> {
    let present: Vec<String> = conn
        .prepare(&format!("PRAGMA main.table_info({PREFIX}journal)"))?
        .query_map([], |row| row.get("name"))?
        .collect::<Result<_, _>>()?;
    if present.is_empty() {
        return conn.execute_batch(&format!(
            "CREATE TABLE {PREFIX}journal(n INTEGER PRIMARY KEY, t, f, m, at, o, {})",
            key_columns_list(width)
        ));
    }
    for column in (1..=width).map(key_column).filter(|column| !present.contains(column)) {
        conn.execute_batch(&format!("ALTER TABLE {PREFIX}journal ADD COLUMN {column}"))?;
    }
    Ok(())
}

fn clock_tables(conn: &Connection, table: &Table) -> rusqlite::Result<()> {
    let name = clock_table(table.no);
    conn.execute_batch(&create_clock_table(&name, table.key.len(), table.is_surrogate()))?;
    if table.nullable_key {
        conn.execute_batch(&create_clock_table(&null_key_clock_table(table.no), 1, true))?;
    }
    Ok(())
}

/// Answers whether one of the triggers that every table has was missing.
fn lay_triggers(conn: &Connection, table: &Table) -> rusqlite::Result<bool> {
    let names = triggers::names_of(table.no);
    let mut present: BTreeMap<String, (String, String)> = conn
        .prepare(&format!(
            "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger' AND name IN ({})",
            triggers::literals(&names)
        ))?
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
        .collect::<Result<_, _>>()?;
    let on_table = |at: &(String, String)| at.0.eq_ignore_ascii_case(&table.name);
    let bare = names[..3].iter().any(|name| !present.get(name).is_some_and(on_table));
    for trigger in table_triggers(table) {
        match present.remove(&trigger.name) {
            Some((_, sql)) if sql == trigger.sql => continue,
            Some(_) => conn.execute_batch(&format!("DROP TRIGGER {}", trigger.name))?,
            None => {}
        }
        conn.execute_batch(&trigger.sql)?;
    }
    for name in present.keys() {
        conn.execute_batch(&format!("DROP TRIGGER {name}"))?;
    }
    Ok(bare)
}
