//! Values that a rebuild of a table, or writes that nobody saw, put into columns that nobody had written to.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::super::apply::log_own;
use super::super::catalog::{Column, Table};
use super::super::conflict;
use super::super::engine::Engine;
use super::super::refs::{self, LocalKey, null_key, value};
use super::super::system::quote;
use crate::clock::Version;
use crate::merge::Cell;
use crate::store::StoreError;
use crate::value::Value;

/// Takes values for what was there before all where nobody has written any: in the oldest version that
/// there is, so that each device may fill a column for itself, at its time, and whatever anybody has
/// written there wins. Where the fillings differ, the larger value does. What somebody has written there already
/// and waited for the column is shown now; what was here goes to the log of conflicts.
pub(in super::super) fn adopt(engine: &mut Engine, table: &Table) -> Result<(), StoreError> {
    let Some(first_seq) = engine.meta.head.checked_add(1).map(|seq| seq as u64) else { return Ok(()) };
    let may_be_filled = |(at, column): &(usize, &Column)| {
        (table.is_surrogate() || !table.key.contains(at)) && !table.merges.contains_key(&column.no)
    };
    let (columns, filled): (Vec<u32>, Vec<String>) = table
        .columns
        .iter()
        .enumerate()
        .filter(may_be_filled)
        .map(|(_, column)| {
            let untouched = column.default.as_deref().unwrap_or("NULL");
            (column.no, format!("x.{} IS NOT ({untouched})", quote(&column.name)))
        })
        .unzip();
    if columns.is_empty() {
        return Ok(());
    }
    let mut any = false;
    for (key, is_filled) in rows(engine, table, &filled.join(" OR "), &filled)? {
        let Some((id, mut clock)) = refs::clock(engine, table.no, &key)? else { continue };
        let mut changed = false;
        let shadows = if clock.shadowed { refs::shadows(engine, table.no, &id)? } else { BTreeMap::new() };
        for (no, _) in columns.iter().zip(is_filled).filter(|(_, is_filled)| *is_filled) {
            let (version, seq) = clock.column(*no);
            if seq == 0 {
                clock.set_column(*no, Version::GENESIS, first_seq);
                changed = true;
            } else if let Some(value) = shadows.get(no)
                && let Some(name) = engine.wire_column_name(table.no, *no)?
            {
                let came = Cell { version, value: value.clone() };
                conflict::log_joined(engine, table, (&id, &key), (*no, &name), Version::GENESIS, &came)?;
            }
        }
        if changed {
            refs::put_clock(engine, table.no, &key, &id, &clock)?;
            any = true;
        }
    }
    if any {
        let seq = engine.meta.next_seq();
        log_own(engine, seq)?;
    }
    Ok(())
}

/// The keys of the rows `x` that a condition holds for.
pub(in super::super) fn keys(
    engine: &Engine,
    table: &Table,
    condition: &str,
) -> Result<Vec<LocalKey>, StoreError> {
    Ok(rows(engine, table, condition, &[])?.into_iter().map(|(key, _)| key).collect())
}

/// The same, each with which of the `questions` it answers with yes.
fn rows(
    engine: &Engine,
    table: &Table,
    condition: &str,
    questions: &[String],
) -> Result<Vec<(LocalKey, Vec<bool>)>, StoreError> {
    let names = table.key.iter().map(|&at| format!("x.{}", quote(&table.columns[at].name)));
    let rowid = table.rowid.filter(|_| table.nullable_key).map(|rowid| format!("x.{rowid}"));
    let has_rowid = rowid.is_some();
    let names = names.chain(rowid).chain(questions.iter().cloned()).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {names} FROM main.{} AS x WHERE {condition}", quote(&table.name));
    let count = table.key.len();
    let first = count + usize::from(has_rowid);
    let read = |row: &Row<'_>| -> rusqlite::Result<_> {
        let parts: Vec<Value> =
            (0..count).map(|at| Ok(value(row.get_ref(at)?))).collect::<rusqlite::Result<_>>()?;
        let key = match has_rowid && parts.contains(&Value::Null) {
            true => null_key(row.get(count)?),
            false => parts.into(),
        };
        let answers = (first..first + questions.len()).map(|at| row.get(at));
        Ok((key, answers.collect::<rusqlite::Result<_>>()?))
    };
    let mut statement = engine.conn.prepare(&sql)?;
    let rows = statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}
