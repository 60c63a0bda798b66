//! A column that was dropped here, and is back: its values are gone from this file, and others
//! still have them.

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs;
use super::filled_columns::keys;
use crate::clock::Version;
use crate::store::StoreError;

/// Forgets the versions of values that are not here any more, so that they are taken again, and
/// asks the peers for all that they have, what came from here included.
pub(in super::super) fn forget(engine: &mut Engine, table_no: u32, column: u32) -> Result<(), StoreError> {
    let Some(table) = engine.catalog.tables.get(&table_no).cloned() else { return Ok(()) };
    if forget_versions(engine, &table, column)? {
        // As after a backup was restored: from the beginning, in both directions.
        engine.conn.execute(
            "UPDATE __pocketsync_peer SET held_seq = 0, held_stamp = 0, held_within = x'', catching_up = 0,
               resend_from = 0, resend_until = ?1",
            [engine.meta.head],
        )?;
        engine.conn.execute("DELETE FROM __pocketsync_staging", [])?;
    }
    Ok(())
}

fn forget_versions(engine: &mut Engine, table: &Table, column: u32) -> Result<bool, StoreError> {
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
