//! A column or a table that was dropped here, and is back: its values are gone from this file, and
//! others still have them.
//!
//! The versions of what is gone are forgotten, so that it is taken again, and
//! [`read_again`](super::super::identity::read_again) asks the peers for it.

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs;
use super::super::system::{PREFIX, clock_table, null_key_clock_table};
use super::filled_columns::keys;
use crate::clock::Version;
use crate::store::StoreError;

/// Forgets the versions of a column's values that are not here any more. Answers whether there were any.
pub(in super::super) fn forget_column(
    engine: &mut Engine,
    table: &Table,
    column: u32,
) -> Result<bool, StoreError> {
    let mut any = false;
    for key in keys(engine, table, "1")? {
        let Some((id, mut clock)) = refs::clock(engine, table.no, &key)? else { continue };
        let waits = clock.shadowed && refs::shadows(engine, table.no, &id)?.contains_key(&column);
        if clock.column(column).1 == 0 || waits {
            continue;
        }
        clock.set_column(column, Version::GENESIS, 0);
        refs::put_clock(engine, table.no, &key, &id, &clock)?;
        any = true;
    }
    Ok(any)
}

/// Forgets the rows of a table that was not there for a while, unless most of them are back: then it
/// was rebuilt, and what is not there was deleted. What is in a new table was put in since: under a
/// declared key these are the rows that they were, under integers new ones. Answers whether there
/// were any.
pub(in super::super) fn forget_rows(engine: &mut Engine, table: &Table) -> Result<bool, StoreError> {
    let null_keys = table.nullable_key.then(|| null_key_clock_table(table.no));
    let clocks: Vec<String> = [clock_table(table.no)].into_iter().chain(null_keys).collect();
    let mut known = 0;
    for clocks in &clocks {
        let count = format!("SELECT count(*) FROM {clocks}");
        known += engine.conn.query_row(&count, [], |row| row.get::<_, i64>(0))?;
    }
    let mut back = 0i64;
    for key in keys(engine, table, "1")? {
        back += i64::from(refs::clock(engine, table.no, &key)?.is_some());
    }
    if back * 2 >= known {
        return Ok(false);
    }
    for clocks in clocks {
        engine.conn.execute(&format!("DELETE FROM {clocks}"), [])?;
    }
    for beside in ["shadow", "alias", "dangling"] {
        engine.conn.execute(&format!("DELETE FROM {PREFIX}{beside} WHERE tbl = ?1"), [table.no])?;
    }
    engine.has_aliases.set(None);
    Ok(true)
}
