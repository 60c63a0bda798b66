//! Statements of an application, for a schema.

use super::schema::{Column, Holds, Schema, Table};
use super::{Input, Result};

const NUMBERS: [&str; 8] = ["1", "2", "3", "4", "5", "-1", "9223372036854775807", "NULL"];
const NAMES: [&str; 8] = ["'a'", "'A'", "'b'", "'ä'", "''", "'a '", "'1'", "NULL"];
const OTHERS: [&str; 12] = [
    "NULL",
    "1",
    "1.0",
    "'1'",
    "x'31'",
    "x''",
    "CAST(x'ff00' AS TEXT)",
    "9e999",
    "-0.0",
    "0.5",
    "1e300",
    "'2 '",
];
const KEYS: [&str; 8] = ["NULL", "1", "'1'", "x'31'", "x''", "9e999", "0.5", "'a'"];
const CONFLICTS: [&str; 8] = ["", "", "", "OR REPLACE", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK"];

fn literal(u: &mut Input<'_>, column: &Column) -> Result<&'static str> {
    let pool: &[&str] = match column.holds {
        Holds::Numbers => &NUMBERS,
        Holds::Names => &NAMES,
        Holds::Keys => &KEYS,
        _ => &OTHERS,
    };
    // Now and then something that does not belong there.
    let pool = if column.holds != Holds::Keys && u.ratio(1, 12u8)? { &OTHERS } else { pool };
    u.choose(pool).copied()
}

fn written(table: &Table) -> Vec<&Column> {
    table.columns.iter().filter(|column| column.holds != Holds::Nothing).collect()
}

/// `column IS value` for a column that is there.
fn condition(u: &mut Input<'_>, table: &Table) -> Result<String> {
    let columns = written(table);
    let column = if u.arbitrary()? { columns[0] } else { u.choose(&columns)? };
    Ok(format!("{} IS {}", column.name, literal(u, column)?))
}

/// A statement that changes rows, or tries to.
pub(crate) fn statement(u: &mut Input<'_>, schema: &Schema) -> Result<String> {
    let table = u.choose(&schema.tables)?;
    let name = &table.name;
    let columns = written(table);
    let conflict = *u.choose(&CONFLICTS)?;
    Ok(match u.int_in_range(0..=15u8)? {
        0..=5 => insert(u, table, conflict)?,
        6 => {
            let target = if u.arbitrary()? {
                let parts: Vec<&str> = table.columns[..table.key].iter().map(|key| &*key.name).collect();
                format!("({})", parts.join(", "))
            } else {
                String::new()
            };
            let set = u.choose(&columns)?;
            let action = match u.int_in_range(0..=2u8)? {
                0 => "NOTHING".to_owned(),
                1 => format!("UPDATE SET {0} = excluded.{0}", set.name),
                _ => format!("UPDATE SET {} = {}", set.name, literal(u, set)?),
            };
            format!("{} ON CONFLICT{target} DO {action}", insert(u, table, "")?)
        }
        7..=9 => {
            let set = u.choose(&columns)?;
            let (value, at) = (literal(u, set)?, condition(u, table)?);
            let at = if u.ratio(1, 6u8)? { String::new() } else { format!(" WHERE {at}") };
            format!("UPDATE {conflict} {name} SET {} = {value}{at}", set.name)
        }
        10 => {
            let key = &table.columns[0].name;
            let by = *u.choose(&["+ 1", "- 1", "* -1", "+ 10", "|| 'b'"])?;
            // -2^63 as REAL is the key that it is as INTEGER, and shown so elsewhere.
            format!("UPDATE {conflict} {name} SET {key} = {key} {by} WHERE {key} + 0 BETWEEN -9e18 AND 9e18")
        }
        11 if table.is_rowid && table.columns.iter().all(|column| column.name != "\"rowid\"") => {
            // What REPLACE removes for its rowid alone, where that is no key, goes unseen.
            let conflict = if table.is_alias { conflict } else { "" };
            format!("UPDATE {conflict} {name} SET rowid = rowid + 1 WHERE {}", condition(u, table)?)
        }
        11 | 12 => {
            let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
            let list = names.join(", ");
            format!("INSERT {conflict} INTO {name}({list}) SELECT {} + 1, {} FROM {name}", names[0], list)
                .replace(&format!("+ 1, {}", names[0]), "+ 1")
        }
        13 | 14 => format!("DELETE FROM {name} WHERE {}", condition(u, table)?),
        _ => {
            // A reference to nothing is compared in a unique key by the integer that it shows, which
            // another row may have elsewhere.
            let may_dangle = !schema.tables.iter().any(Table::claims_references);
            let pragmas = [
                "PRAGMA recursive_triggers = ON",
                "PRAGMA recursive_triggers = OFF",
                "PRAGMA foreign_keys = ON",
                "PRAGMA defer_foreign_keys = ON",
                "PRAGMA foreign_keys = OFF",
            ];
            (*u.choose(&pragmas[..if may_dangle { 5 } else { 4 }])?).to_owned()
        }
    })
}

/// A statement that writes to one of the first rows of a table what nobody else writes, or deletes it.
pub(crate) fn contested(u: &mut Input<'_>, schema: &Schema, fresh: u32) -> Result<String> {
    let table = u.choose(&schema.tables)?;
    let (name, key) = (&table.name, &table.columns[0].name);
    let row = format!("{key} IS (SELECT {key} FROM {name} ORDER BY 1 LIMIT 1 OFFSET {})", u.choose_index(2)?);
    if u.ratio(1, 5u8)? {
        return Ok(format!("DELETE FROM {name} WHERE {row}"));
    }
    let columns = written(table);
    // A key that is written is another row, or this one under another integer.
    let others = if columns.len() > table.key { &columns[table.key..] } else { &columns[..] };
    let column = u.choose(others)?;
    let value = if column.holds == Holds::Names { format!("'w{fresh}'") } else { format!("{}", 100 + fresh) };
    Ok(format!("UPDATE {name} SET {} = {value} WHERE {row}", column.name))
}

fn insert(u: &mut Input<'_>, table: &Table, conflict: &str) -> Result<String> {
    let mut columns = written(table);
    // A key that the statement leaves out is made by SQLite.
    if u.ratio(1, 3u8)? && columns.len() > 1 {
        columns.remove(0);
    }
    if u.ratio(1, 4u8)? {
        columns.truncate(table.key.max(1));
    }
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    let mut rows = Vec::new();
    for _ in 0..=u.int_in_range(0..=2u8)? / 2 {
        let values: Vec<&str> = columns.iter().map(|column| literal(u, column)).collect::<Result<_>>()?;
        rows.push(format!("({})", values.join(", ")));
    }
    Ok(format!("INSERT {conflict} INTO {}({}) VALUES{}", table.name, names.join(", "), rows.join(", ")))
}
