//! The journal, clock tables and triggers, made to fit the catalog.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::catalog::{Catalog, Table};
use super::super::system::{
    PREFIX, clock_table, create_clock_table, key_column, key_columns_list, null_key_clock_table,
};
use super::register;
use super::triggers::{self, table_triggers};

/// What was found when the triggers of a table were laid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Laid {
    /// The table's number.
    pub(in super::super) table: u32,
    /// A trigger that every table has was missing: writes may have gone unseen.
    pub(in super::super) was_bare: bool,
    /// The unique keys were others: rows that a conflict clause removed may have gone unseen.
    pub(in super::super) claims_changed: bool,
}

/// Makes what is missing and replaces what is outdated.
pub(in super::super) fn install(conn: &Connection, catalog: &Catalog) -> rusqlite::Result<Vec<Laid>> {
    let width = catalog.tables.values().map(|table| table.key.len()).max().unwrap_or(1);
    journal(conn, width)?;
    let mut laid = Vec::with_capacity(catalog.tables.len());
    for table in catalog.tables.values() {
        clock_tables(conn, table)?;
        laid.push(lay_triggers(conn, table)?);
        register::captured(conn, table)?;
    }
    Ok(laid)
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

fn lay_triggers(conn: &Connection, table: &Table) -> rusqlite::Result<Laid> {
    let names = triggers::names_of(table.no);
    let mut present: BTreeMap<String, (String, String)> = conn
        .prepare(&format!(
            "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger' AND name IN ({})",
            triggers::literals(&names)
        ))?
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
        .collect::<Result<_, _>>()?;
    let on_table = |at: &(String, String)| at.0.eq_ignore_ascii_case(&table.name);
    let was_bare = names[..3].iter().any(|name| !present.get(name).is_some_and(on_table));
    let mut claims_changed = false;
    for trigger in table_triggers(table) {
        let old = present.remove(&trigger.name);
        if old.as_ref().is_some_and(|(_, sql)| *sql == trigger.sql) {
            continue;
        }
        claims_changed |= names[4..].contains(&trigger.name);
        if old.is_some() {
            conn.execute_batch(&format!("DROP TRIGGER {}", trigger.name))?;
        }
        conn.execute_batch(&trigger.sql)?;
    }
    for name in present.keys() {
        conn.execute_batch(&format!("DROP TRIGGER {name}"))?;
    }
    Ok(Laid { table: table.no, was_bare, claims_changed })
}
