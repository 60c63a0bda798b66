//! Local references to nothing.

use std::collections::BTreeSet;

use super::super::engine::Engine;
use super::super::refs;
use super::links::Link;
use super::row::{Row, RowKey, is_identity};
use super::table_sql;
use super::work::Work;
use crate::clock::Version;
use crate::merge::Cell;
use crate::store::{RecordCell, StoreError};
use crate::value::Value;

/// Remembers which references of the rows that were just folded dangle, and which dangle because
/// their parent was deleted in that fold.
///
/// A reference that was written to nothing dangles from the start. One whose parent the
/// application deleted, and left standing, dangles by that act: it is a local write like any other,
/// with the fold's log number, and so the row stays everywhere, as the application has it.
/// SQLite does not allow either where it enforces foreign keys.
pub(super) fn mark(engine: &mut Engine) -> Result<(), StoreError> {
    let seq = engine.meta.head;
    let mut work = Work::new(engine)?;
    let mut found: BTreeSet<(RowKey, Vec<usize>, bool)> = BTreeSet::new();
    for child in engine.catalog.tables.values() {
        for link in work.links.from(child.no) {
            let parent = &engine.catalog.tables[&link.parent];
            let orphans = |seq| {
                table_sql::orphans(engine, child, &link.child_columns, parent, &link.parent_columns, seq)
            };
            let mut keys = orphans(Some(seq))?;
            if has_left(engine, link, seq)? {
                keys.extend(orphans(None)?);
            }
            for at in keys {
                if let Some((id, _)) = refs::clock(engine, child.no, &at)? {
                    found.insert(((child.no, id), link.child_columns.clone(), link.by_row));
                }
            }
        }
    }
    let rows: BTreeSet<RowKey> = found.iter().map(|(key, ..)| key.clone()).collect();
    for (key, columns, by_row) in found {
        let table = engine.catalog.tables[&key.0].clone();
        let version = Version::new(engine.meta.clock().next(), engine.site());
        let row = work.load(engine, &key)?;
        for position in columns {
            let no = table.columns[position].no;
            let left = by_row
                || !matches!(
                    row.record.cells.get(&no),
                    Some(RecordCell { cell: Cell { value: Value::Ref(_), .. }, .. })
                );
            if left && !is_identity(&table, &key.1, position) {
                dangle(row, no, position, version, seq as u64);
            }
        }
    }
    let mut late = false;
    for key in rows {
        let Some(row) = work.rows.get(&key).filter(|row| row.dirty) else { continue };
        let Some(at) = row.at.clone() else { continue };
        late |= row.written;
        for (column, value) in &row.shadows {
            refs::put_shadow(engine, key.0, &key.1, *column, value)?;
        }
        let clock = row.clock(&engine.catalog.tables[&key.0], &key.1, &at);
        refs::put_clock(engine, key.0, &at, &key.1, &clock)?;
    }
    if late {
        engine.meta.clock = engine.meta.clock.saturating_add(1);
        engine
            .conn
            .prepare_cached("UPDATE __pocketsync_log SET clock = ?2 WHERE seq = ?1")?
            .execute((seq, engine.meta.clock))?;
    }
    Ok(())
}

/// Notes that a column of a shown row dangles.
fn dangle(row: &mut Row, column: u32, position: usize, version: Version, seq: u64) {
    let (Some(local), Some(held)) = (row.local.get(position), row.record.cells.get_mut(&column)) else {
        return;
    };
    if matches!(row.shadows.get(&column), Some(Value::Dangling(_))) || *local == Value::Null {
        return;
    }
    let value = Value::Dangling(Box::new(refs::key_value(local.clone())));
    if held.seq != seq {
        *held = RecordCell { cell: Cell { version, value: value.clone() }, seq };
        row.written = true;
    } else {
        held.cell.value = value.clone();
    }
    row.shadows.insert(column, value);
    row.dirty = true;
}

/// Whether a row of the parent table was deleted in this fold, or changed where the link does not
/// go by its primary key.
fn has_left(engine: &Engine, link: &Link, seq: i64) -> Result<bool, StoreError> {
    let mut dead = engine.conn.prepare_cached(
        "SELECT 1 FROM __pocketsync_aside WHERE seq = ?1 AND tbl = ?2 AND reason = 'deleted' LIMIT 1",
    )?;
    if dead.exists((seq, link.parent))? {
        return Ok(true);
    }
    let parent = &engine.catalog.tables[&link.parent];
    if !parent.is_surrogate() && link.parent_columns.iter().all(|at| parent.key.contains(at)) {
        return Ok(false);
    }
    let clocks = super::super::system::clock_table(link.parent);
    let mut changed = engine.conn.prepare_cached(&format!("SELECT 1 FROM {clocks} WHERE s = ?1 LIMIT 1"))?;
    Ok(parent.integer_key() != Some(link.parent_columns[0]) && changed.exists([seq])?)
}
