//! Numbers of tables and columns: handed out once, kept for ever.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::catalog::{Column, IdentityKind, Table};
use super::super::catalog_load::{column_numbers, local_column_numbers, local_table_number, table_number};
use super::super::introspect::{RawKey, RawTable};
use super::super::merging::SHARES_FROM;
use super::super::names;

/// Marks a table as tracked, and gives it a number if it has none.
pub(in super::super) fn table(
    conn: &Connection,
    raw: &RawTable,
    identity: IdentityKind,
) -> rusqlite::Result<u32> {
    let mut wire_name = raw.name.clone();
    let no = match local_table_number(conn, &raw.name)? {
        Some(no) => no,
        None => {
            for n in 2.. {
                if table_number(conn, &wire_name)?.is_none() {
                    break;
                }
                wire_name = format!("{} ({n})", raw.name);
            }
            conn.query_row("SELECT ifnull(max(no), 0) + 1 FROM __pocketsync_table", [], |row| row.get(0))?
        }
    };
    if wire_name != raw.name {
        names::set_table(conn, no, Some(&raw.name))?;
    }
    conn.execute(
        "INSERT INTO __pocketsync_table(no, name, tracked, identity, fingerprint) VALUES(?1, ?2, 1, ?3, ?4)
         ON CONFLICT(no) DO UPDATE SET tracked = 1, identity = excluded.identity,
           fingerprint = excluded.fingerprint",
        (no, &wire_name, identity.as_str(), key_shape(raw, |_| None)),
    )?;
    columns(conn, no, raw)?;
    Ok(no)
}

/// Gives numbers to those columns that have none.
pub(in super::super) fn columns(conn: &Connection, table_no: u32, raw: &RawTable) -> rusqlite::Result<()> {
    let known = local_column_numbers(conn, table_no)?;
    let elsewhere = column_numbers(conn, table_no)?;
    let mut next = elsewhere.values().filter(|no| **no < SHARES_FROM).max().map_or(0, |no| no + 1);
    for column in raw.columns.iter().filter(|column| !column.generated) {
        if known.keys().any(|name| name.eq_ignore_ascii_case(&column.name)) {
            continue;
        }
        let name = free_name(&column.name, &elsewhere);
        conn.prepare_cached("INSERT INTO __pocketsync_column(tbl, no, name) VALUES(?1, ?2, ?3)")?
            .execute((table_no, next, &name))?;
        if name != column.name {
            names::set_column(conn, table_no, next, Some(&column.name))?;
        }
        next += 1;
    }
    Ok(())
}

/// The name that others will know a new column by: its own, unless that is what they call a
/// column which has another name here.
fn free_name(name: &str, elsewhere: &BTreeMap<String, u32>) -> String {
    let is_free = |name: &str| !elsewhere.keys().any(|known| known.eq_ignore_ascii_case(name));
    let numbered = (2..).map(|n| format!("{name} ({n})"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name)).expect("numbers do not end")
}

/// The present columns that the triggers do not know yet.
pub(in super::super) fn not_captured<'a>(
    conn: &Connection,
    table: &'a Table,
) -> rusqlite::Result<Vec<&'a Column>> {
    let numbers: Vec<u32> = conn
        .prepare_cached("SELECT no FROM __pocketsync_column WHERE tbl = ?1 AND captured <> 1")?
        .query_map([table.no], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(table.columns.iter().filter(|column| numbers.contains(&column.no)).collect())
}

/// A table's mark: it was found without its triggers.
pub(in super::super) const SUSPECT: i64 = 1;
/// A table's mark: so it was, and the peers were asked for its values.
pub(in super::super) const ASKED: i64 = 3;
/// A table's mark: it was not there.
pub(in super::super) const GONE: i64 = 2;

/// Marks a table.
pub(in super::super) fn mark(conn: &Connection, table_no: u32, mark: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE __pocketsync_table SET suspect = ?2 WHERE no = ?1 AND suspect <> ?2";
    conn.prepare_cached(sql)?.execute((table_no, mark))?;
    Ok(())
}

/// Whether a table was not there when the engine looked the last time.
pub(in super::super) fn was_gone(conn: &Connection, table_no: u32) -> rusqlite::Result<bool> {
    let sql = "SELECT suspect = ?2 FROM __pocketsync_table WHERE no = ?1";
    conn.prepare_cached(sql)?.query_row((table_no, GONE), |row| row.get(0))
}

/// The present columns that were here before, and were dropped.
pub(in super::super) fn come_back(conn: &Connection, table: &Table) -> rusqlite::Result<Vec<u32>> {
    let numbers: Vec<u32> = conn
        .prepare_cached("SELECT no FROM __pocketsync_column WHERE tbl = ?1 AND captured = 2")?
        .query_map([table.no], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(numbers.into_iter().filter(|no| table.position(*no).is_some()).collect())
}

/// Remembers that the triggers know the present columns, and no others; of those that were here
/// before, that they were.
pub(in super::super) fn captured(conn: &Connection, table: &Table) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "UPDATE __pocketsync_column SET captured = CASE WHEN ?3 THEN 1 WHEN captured THEN 2 ELSE 0 END
         WHERE tbl = ?1 AND no = ?2",
    )?;
    for no in table.numbers.values() {
        statement.execute((table.no, no, table.position(*no).is_some()))?;
    }
    Ok(())
}

/// What must not change in a table that is tracked: what identifies its rows. An integer key may
/// have any name; `old_name` gives the former names of renamed columns.
pub(in super::super) fn key_shape(raw: &RawTable, old_name: impl Fn(&str) -> Option<String>) -> String {
    match &raw.key {
        RawKey::None => "none".to_owned(),
        RawKey::Rowid(name) => format!("integer {}", name.to_ascii_lowercase()),
        RawKey::Declared(parts) => {
            let name = |(name, _): &(String, String)| old_name(name).unwrap_or_else(|| name.clone());
            let names: Vec<_> = parts.iter().map(|part| name(part).to_ascii_lowercase()).collect();
            format!("columns {}", names.join(", "))
        }
    }
}

/// Whether two shapes identify rows in the same way.
pub(in super::super) fn same_key(a: &str, b: &str) -> bool {
    a == b || a.starts_with("integer") && b.starts_with("integer")
}

/// The columns of a key by its shape, in lower case; none where the shape does not say.
pub(in super::super) fn key_columns(shape: &str) -> Vec<String> {
    let columns = shape.strip_prefix("columns ").or_else(|| shape.strip_prefix("integer "));
    columns.map_or_else(Vec::new, |columns| columns.split(", ").map(str::to_owned).collect())
}
