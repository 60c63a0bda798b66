//! ALTER TABLE RENAME COLUMN.
//!
//! SQLite rewrites the triggers with the column, so the bit that stands beside the new name says
//! which column it was.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::super::catalog_load::{column_numbers, local_column_numbers, wire_name};
use super::super::introspect::{RawColumn, RawTable};
use super::super::renames::Renames;
use super::super::system::PREFIX;
use super::triggers;

/// The renamed columns of a table: old number by new name.
pub(in super::super) fn find(
    conn: &Connection,
    table_no: u32,
    raw: &RawTable,
) -> rusqlite::Result<BTreeMap<String, u32>> {
    let captured = captured(conn, table_no)?;
    let mut renamed = BTreeMap::new();
    let update = format!("{PREFIX}{table_no}_update");
    let sql: Option<String> = conn
        .prepare_cached("SELECT sql FROM main.sqlite_master WHERE type = 'trigger' AND name = ?1")?
        .query_row([update], |row| row.get(0))
        .optional()?;
    let Some(sql) = sql else { return Ok(renamed) };
    let columns = || raw.columns.iter().filter(|column| !column.generated);
    for (name, no) in captured {
        let stands_for = |column: &&RawColumn| stands_for(&sql, no, column);
        if columns()
            .find(|column| column.name.eq_ignore_ascii_case(&name))
            .is_some_and(|here| stands_for(&here))
        {
            continue;
        }
        if let Some(column) = columns().find(stands_for) {
            renamed.insert(column.name.clone(), no);
        }
    }
    Ok(renamed)
}

/// Columns that a rebuild brought in the place of others, where it was said that they are the same.
pub(in super::super) fn declared(
    conn: &Connection,
    table_no: u32,
    raw: &RawTable,
    renames: &Renames,
) -> rusqlite::Result<BTreeMap<String, u32>> {
    let mut renamed = BTreeMap::new();
    if renames.is_empty() {
        return Ok(renamed);
    }
    let (captured, here) = (captured(conn, table_no)?, local_column_numbers(conn, table_no)?);
    let (elsewhere, table) = (column_numbers(conn, table_no)?, wire_name(conn, table_no)?);
    let is_present = |name: &str| raw.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    for column in
        raw.columns.iter().filter(|column| !here.keys().any(|name| name.eq_ignore_ascii_case(&column.name)))
    {
        let Some(known_as) = renames.column(&table, &column.name) else { continue };
        let same = elsewhere.iter().find(|(name, _)| name.eq_ignore_ascii_case(&known_as)).map(|(_, no)| *no);
        let gone = captured.iter().find(|(name, no)| Some(**no) == same && !is_present(name));
        if let Some((_, no)) = gone {
            renamed.insert(column.name.clone(), *no);
        }
    }
    Ok(renamed)
}

/// Whether an update trigger has the column beside the bit, or in the letter, of this number.
fn stands_for(sql: &str, no: u32, column: &RawColumn) -> bool {
    let differs = triggers::differs(&column.name, &column.declared_type);
    let bit = triggers::bit(no, &differs);
    let in_bits = sql.match_indices(&bit).any(|(at, _)| {
        // The bit of number 0 is not shifted, and looks like a part of the others.
        no > 0 || !sql[at + bit.len()..].starts_with(" <<")
    });
    // There is no other || in a trigger, unless it is in a name.
    let mut letters = sql.split(" || ");
    let is_letter = letters.clone().nth(1).is_some()
        && letters.nth(no as usize).is_some_and(|letter| letter.contains(&format!("({differs})")));
    in_bits && !sql.contains(" || ") || is_letter
}

/// The columns that the triggers know, by the names that they had when these were laid.
pub(in super::super) fn captured(
    conn: &Connection,
    table_no: u32,
) -> rusqlite::Result<BTreeMap<String, u32>> {
    let numbers: Vec<u32> = conn
        .prepare_cached("SELECT no FROM __pocketsync_column WHERE tbl = ?1 AND captured = 1")?
        .query_map([table_no], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut names = local_column_numbers(conn, table_no)?;
    names.retain(|_, no| numbers.contains(no));
    Ok(names)
}
