//! Whether what an application derives from its tables says what they say.

use std::collections::BTreeMap;

use pocketsync_core::value::Value;
use rusqlite::Connection;

use super::snapshot::value;
use crate::shape::{Derived, Shape};

/// What is wrong with what is derived, in words.
///
/// # Errors
/// When SQLite cannot read it.
pub(crate) fn complaints(conn: &Connection, shape: &Shape) -> rusqlite::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for Derived { what, kept, anew, check } in &shape.derived {
        if let Some(sql) = check
            && let Err(error) = conn.execute_batch(sql)
        {
            complaints.push(format!("{what}: {error}"));
        }
        if let (Some(kept), Some(anew)) = (kept, anew) {
            let (kept, anew) = (rows(conn, kept)?, rows(conn, anew)?);
            let all = kept.keys().chain(anew.keys().filter(|row| !kept.contains_key(*row)));
            let count = |rows: &BTreeMap<Vec<Value>, u32>, row| rows.get(row).copied().unwrap_or(0);
            let differing = all.map(|row| (row, count(&kept, row), count(&anew, row)));
            if let Some((row, kept, anew)) = differing.into_iter().find(|(_, kept, anew)| kept != anew) {
                let row: Vec<String> = row.iter().map(ToString::to_string).collect();
                let row = row.join(", ");
                complaints
                    .push(format!("{what}: ({row}) is there {kept} times, and {anew} times computed anew"));
            }
        }
    }
    Ok(complaints)
}

/// How often there is which row.
fn rows(conn: &Connection, sql: &str) -> rusqlite::Result<BTreeMap<Vec<Value>, u32>> {
    let mut statement = conn.prepare_cached(sql)?;
    let width = statement.column_count();
    let mut read = statement.query([])?;
    let mut rows = BTreeMap::new();
    while let Some(row) = read.next()? {
        let cells = (0..width).map(|at| Ok(value(row.get_ref(at)?)));
        *rows.entry(cells.collect::<rusqlite::Result<_>>()?).or_default() += 1;
    }
    Ok(rows)
}
