//! Updates that were captured before the triggers knew a column.
//!
//! Between ALTER TABLE ADD COLUMN and the engine's next look the old triggers capture every
//! update of a row, but have no bit for the new column.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::super::catalog::{Column, Table};
use super::super::system::{PREFIX, flag, key_column, quote};

/// Sets the new columns' bits in the waiting entries of those rows that have another value in
/// them than a row has that nobody touched.
pub(in super::super) fn mark(conn: &Connection, table: &Table, new: &[&Column]) -> rusqlite::Result<()> {
    let on_row = on_row(table);
    for column in new {
        let untouched = column.default.as_deref().unwrap_or("NULL");
        let sql = format!(
            "SELECT j.n, j.m FROM {PREFIX}journal AS j WHERE j.t = ?1
             AND (j.f = {update} OR j.f = {insert} AND j.m IS NOT NULL)
             AND EXISTS (SELECT 1 FROM {name} AS x WHERE {on_row} AND x.{column} IS NOT ({untouched}))",
            update = flag::UPDATE,
            insert = flag::INSERT,
            name = quote(&table.name),
            column = quote(&column.name),
        );
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query([table.no])?;
        let mut wider = Vec::new();
        while let Some(row) = rows.next()? {
            wider.push((row.get::<_, i64>(0)?, with_column(row.get_ref(1)?, column.no)));
        }
        let mut update = conn.prepare(&format!("UPDATE {PREFIX}journal SET m = ?2 WHERE n = ?1"))?;
        for (n, mask) in wider {
            match mask {
                Mask::Bits(bits) => update.execute((n, bits))?,
                Mask::Letters(letters) => update.execute((n, letters))?,
            };
        }
    }
    Ok(())
}

/// Whether `x` is the row that entry `j` is about.
fn on_row(table: &Table) -> String {
    let keys = table.key.iter().enumerate().map(|(n, &at)| {
        let (column, key) = (quote(&table.columns[at].name), key_column(n + 1));
        format!("x.{column} = j.{key} AND x.{column} = j.{key} COLLATE BINARY")
    });
    let by_key = keys.collect::<Vec<_>>().join(" AND ");
    match table.rowid.filter(|_| table.nullable_key) {
        Some(rowid) => format!("CASE WHEN j.o IS NULL THEN {by_key} ELSE x.{rowid} = j.o END"),
        None => by_key,
    }
}

enum Mask {
    Bits(i64),
    Letters(String),
}

fn with_column(mask: ValueRef<'_>, column: u32) -> Mask {
    let wide = column as usize;
    let mut letters = match mask {
        ValueRef::Text(letters) => String::from_utf8_lossy(letters).into_owned(),
        ValueRef::Integer(bits) if column <= super::triggers::MAX_BIT => {
            return Mask::Bits(bits | 1 << column);
        }
        ValueRef::Integer(bits) => {
            (0..=super::triggers::MAX_BIT).map(|no| if bits >> no & 1 == 1 { '1' } else { '0' }).collect()
        }
        _ => String::new(),
    };
    while letters.len() <= wide {
        letters.push('0');
    }
    letters.replace_range(wide..=wide, "1");
    Mask::Letters(letters)
}
