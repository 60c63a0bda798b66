//! Values that a rebuild of a table put into columns that it brought.

use rusqlite::Row;

use super::super::apply::log_own;
use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs::{self, LocalKey, null_key, value};
use super::super::system::quote;
use crate::clock::Version;
use crate::store::StoreError;
use crate::value::Value;

/// Takes the values of new columns for what was there before all: in the oldest version that there
/// is, so that each device may fill them for itself, at its time, and whatever anybody has written
/// there wins. Where the fillings differ, the larger value does.
pub(in super::super) fn adopt(engine: &mut Engine, table: &Table, new: &[u32]) -> Result<(), StoreError> {
    let Some(first_seq) = engine.meta.head.checked_add(1).map(|seq| seq as u64) else { return Ok(()) };
    let mut any = false;
    for no in new {
        let Some(column) = table.position(*no).filter(|at| table.is_surrogate() || !table.key.contains(at))
        else {
            continue;
        };
        let column = &table.columns[column];
        let untouched = column.default.as_deref().unwrap_or("NULL");
        for key in keys(engine, table, &format!("x.{} IS NOT ({untouched})", quote(&column.name)))? {
            let Some((id, mut clock)) = refs::clock(engine, table.no, &key)? else { continue };
            if clock.column(*no).1 > 0 {
                continue;
            }
            clock.set_column(*no, Version::GENESIS, first_seq);
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
    let names = table.key.iter().map(|&at| format!("x.{}", quote(&table.columns[at].name)));
    let rowid = table.rowid.filter(|_| table.nullable_key);
    let names = names.chain(rowid.map(|rowid| format!("x.{rowid}"))).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {names} FROM main.{} AS x WHERE {condition}", quote(&table.name));
    let count = table.key.len();
    let read = |row: &Row<'_>| -> rusqlite::Result<LocalKey> {
        let parts: Vec<Value> =
            (0..count).map(|at| Ok(value(row.get_ref(at)?))).collect::<rusqlite::Result<_>>()?;
        Ok(match rowid {
            Some(_) if parts.contains(&Value::Null) => null_key(row.get(count)?),
            _ => parts.into(),
        })
    };
    let mut statement = engine.conn.prepare(&sql)?;
    let keys = statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    Ok(keys)
}
