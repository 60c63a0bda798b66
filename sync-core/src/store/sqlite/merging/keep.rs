//! The values that local differences are to.

use std::sync::Arc;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::park::table_sql;
use super::super::refs;
use super::super::rules;
use super::super::schema_change;
use super::super::tracking::filled_columns;
use super::columns::{wanted, words};
use crate::store::StoreError;

/// Puts the types that the rules set now in force, and keeps the values of the columns that have one.
/// The journal must have been folded in this transaction: what the tables show is taken for what
/// everybody knows.
///
/// # Errors
/// When the file cannot be read or written.
pub(in super::super) fn refresh(engine: &mut Engine) -> Result<(), StoreError> {
    let before = words(&engine.conn)?;
    let (wanted, _) = wanted(&engine.catalog, &rules::read(&engine.conn)?);
    if before == wanted {
        return Ok(());
    }
    engine.conn.execute("DELETE FROM __pocketsync_merge", [])?;
    let catalog = Arc::clone(&engine.catalog);
    for (&(table_no, column), merge) in &wanted {
        engine
            .conn
            .prepare_cached("INSERT INTO __pocketsync_merge(tbl, col, word) VALUES(?1, ?2, ?3)")?
            .execute((table_no, column, merge.as_str()))?;
        if !before.contains_key(&(table_no, column)) {
            keep(engine, &catalog.tables[&table_no], column)?;
        }
    }
    schema_change::reload(engine)
}

/// Nothing is in force for a table any more, until the next look.
///
/// # Errors
/// When the file cannot be written.
pub(in super::super) fn forget(engine: &Engine, table_no: u32) -> Result<(), StoreError> {
    engine.conn.execute("DELETE FROM __pocketsync_merge WHERE tbl = ?1", [table_no])?;
    Ok(())
}

/// Keeps what every row shows in a column, where it was ever written.
fn keep(engine: &mut Engine, table: &Table, column: u32) -> Result<(), StoreError> {
    let Some(position) = table.position(column) else { return Ok(()) };
    for key in filled_columns::keys(engine, table, "1")? {
        let Some((id, mut clock)) = refs::clock(engine, table.no, &key)? else { continue };
        let is_kept = clock.shadowed && refs::shadows(engine, table.no, &id)?.contains_key(&column);
        if clock.column(column).1 == 0 || is_kept {
            continue;
        }
        let row = table_sql::read(engine, table, &key)?;
        let Some(value) = row.get(position) else { continue };
        refs::put_shadow(engine, table.no, &id, column, value)?;
        if !clock.shadowed {
            clock.shadowed = true;
            refs::set_clock(engine, table.no, &key, &clock)?;
        }
    }
    Ok(())
}
