//! Numbers of tables and columns: handed out once, kept for ever.

use rusqlite::Connection;

use super::super::catalog::{Column, IdentityKind, Table};
use super::super::catalog_load::{column_numbers, table_number};
use super::super::introspect::{RawKey, RawTable};

/// Marks a table as tracked, and gives it a number if it has none.
pub(in super::super) fn table(
    conn: &Connection,
    raw: &RawTable,
    identity: IdentityKind,
) -> rusqlite::Result<u32> {
    let no = match table_number(conn, &raw.name)? {
        Some(no) => no,
        None => {
            conn.query_row("SELECT ifnull(max(no), 0) + 1 FROM __pocketsync_table", [], |row| row.get(0))?
        }
    };
    conn.execute(
        "INSERT INTO __pocketsync_table(no, name, tracked, identity, fingerprint) VALUES(?1, ?2, 1, ?3, ?4)
         ON CONFLICT(no) DO UPDATE SET name = excluded.name, tracked = 1, identity = excluded.identity,
           fingerprint = excluded.fingerprint",
        (no, &raw.name, identity.as_str(), key_shape(raw, |_| None)),
    )?;
    columns(conn, no, raw)?;
    Ok(no)
}

/// Gives numbers to those columns that have none.
pub(in super::super) fn columns(conn: &Connection, table_no: u32, raw: &RawTable) -> rusqlite::Result<()> {
    let known = column_numbers(conn, table_no)?;
    let mut next = known.values().max().map_or(0, |no| no + 1);
    for column in raw.columns.iter().filter(|column| !column.generated) {
        if !known.keys().any(|name| name.eq_ignore_ascii_case(&column.name)) {
            conn.prepare_cached("INSERT INTO __pocketsync_column(tbl, no, name) VALUES(?1, ?2, ?3)")?
                .execute((table_no, next, &column.name))?;
            next += 1;
        }
    }
    Ok(())
}

/// The present columns that the triggers do not know yet.
pub(in super::super) fn not_captured<'a>(
    conn: &Connection,
    table: &'a Table,
) -> rusqlite::Result<Vec<&'a Column>> {
    let numbers: Vec<u32> = conn
        .prepare_cached("SELECT no FROM __pocketsync_column WHERE tbl = ?1 AND NOT captured")?
        .query_map([table.no], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(table.columns.iter().filter(|column| numbers.contains(&column.no)).collect())
}

/// Remembers that the triggers know the present columns, and no others.
pub(in super::super) fn captured(conn: &Connection, table: &Table) -> rusqlite::Result<()> {
    let mut statement =
        conn.prepare_cached("UPDATE __pocketsync_column SET captured = ?3 WHERE tbl = ?1 AND no = ?2")?;
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
        RawKey::Rowid(_) => "integer".to_owned(),
        RawKey::Declared(parts) => {
            let name = |(name, _): &(String, String)| old_name(name).unwrap_or_else(|| name.clone());
            let names: Vec<_> = parts.iter().map(|part| name(part).to_ascii_lowercase()).collect();
            format!("columns {}", names.join(", "))
        }
    }
}
