//! Local references to nothing.
//!
//! A reference that was written to nothing dangles from the start. One whose parent the
//! application deleted, and left standing, dangles by that act, or means the row that has come
//! under its key: that is a local write like any other, with the fold's log number, and so the row
//! is everywhere as the application has it. SQLite allows neither where it enforces foreign keys.
//!
//! A part of a natural key has no version of its own, so there is no such write where a row is
//! identified by what it refers to. Where that is a surrogate row, the row becomes another one;
//! where it is a plain value, the row is hidden, as everywhere else, until its parent is back.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::fold::Folded;
use super::super::refs;
use super::super::row_clock::RowClock;
use super::super::system::{AsideReason, clock_table};
use super::links::Link;
use super::row::{LocalKey, Row, RowKey, is_identity};
use super::table_sql;
use super::work::Work;
use crate::clock::Version;
use crate::id::RowId;
use crate::merge::{Cell, Life};
use crate::store::{Record, RecordCell, StoreError};
use crate::value::Value;

/// A row whose reference is to be looked at: its table and local key.
type Child = (u32, LocalKey);

/// Gives the references that lost their row in this fold, and those that were written to nothing,
/// their merged values. Answers the rows that may have to be hidden.
pub(super) fn mark(engine: &mut Engine, folded: &Folded) -> Result<BTreeSet<RowKey>, StoreError> {
    let mut work = Work::new(engine)?;
    let mut found: BTreeMap<Child, BTreeSet<usize>> = BTreeMap::new();
    // Rows that were identified by a row that left its key, and by which one.
    let mut renamed: BTreeMap<Child, BTreeMap<usize, RowId>> = BTreeMap::new();
    let mut bare = BTreeSet::new();
    for child in engine.catalog.tables.values() {
        for link in work.links.from(child.no) {
            let in_key = |position: &usize| child.key.contains(position) && !child.is_surrogate();
            let identifies = !link.by_row && link.child_columns.iter().all(in_key);
            for (at, left) in candidates(engine, child, link, folded)? {
                if identifies {
                    bare.extend(refs::clock(engine, child.no, &at)?.map(|(id, _)| (child.no, id)));
                }
                for &position in &link.child_columns {
                    let key = (child.no, at.clone());
                    if !in_key(&position) {
                        found.entry(key).or_default().insert(position);
                    } else if let Some(left) = left.as_ref().filter(|_| link.by_row) {
                        renamed.entry(key).or_default().insert(position, left.clone());
                    }
                }
            }
        }
    }
    if found.is_empty() && renamed.is_empty() {
        return Ok(bare);
    }
    let version = Version::new(engine.meta.clock().next(), engine.site());
    let mut late = !renamed.is_empty();
    for (child, was) in &renamed {
        rename(engine, child, was, version, folded.seq)?;
    }
    for ((table_no, at), positions) in found {
        let Some((id, _)) = refs::clock(engine, table_no, &at)? else { continue };
        let table = engine.catalog.tables[&table_no].clone();
        let key = (table_no, id);
        let row = work.load(engine, &key)?;
        for position in positions {
            late |= settle_column(engine, &table, row, position, version, folded.seq)?;
        }
        if row.dirty {
            for (column, value) in &row.shadows {
                refs::put_shadow(engine, table_no, &key.1, *column, value)?;
            }
            let clock = row.clock(&table, &key.1, &at);
            refs::put_clock(engine, table_no, &at, &key.1, &clock)?;
        }
    }
    if late {
        engine.meta.clock = engine.meta.clock.saturating_add(1);
        engine
            .conn
            .prepare_cached("UPDATE __pocketsync_log SET clock = ?2 WHERE seq = ?1")?
            .execute((folded.seq as i64, engine.meta.clock))?;
    }
    Ok(bare)
}

/// The shown rows whose reference through a link may have lost its row, with the row that left
/// where that is known.
fn candidates(
    engine: &Engine,
    child: &Table,
    link: &Link,
    folded: &Folded,
) -> Result<Vec<(LocalKey, Option<RowId>)>, StoreError> {
    let parent = &engine.catalog.tables[&link.parent];
    let orphans =
        |seq| table_sql::orphans(engine, child, &link.child_columns, parent, &link.parent_columns, seq);
    let mut found: Vec<_> = orphans(Some(folded.seq as i64))?.into_iter().map(|at| (at, None)).collect();
    let parts: Option<Vec<usize>> =
        link.parent_columns.iter().map(|at| parent.key.iter().position(|key| key == at)).collect();
    let left = folded.left.get(&link.parent).map_or(&[][..], Vec::as_slice);
    let Some(parts) = parts else {
        // The values that the parent had there are gone with it.
        if !left.is_empty() || has_changed(engine, link.parent, folded.seq)? {
            found.extend(orphans(None)?.into_iter().map(|at| (at, None)));
        }
        return Ok(found);
    };
    let columns: Vec<_> = link.child_columns.iter().map(|&position| (position, None)).collect();
    for (key, id) in left.iter().filter(|(key, _)| !refs::is_null_key(key)) {
        let values: Vec<Value> = parts.iter().map(|&part| key[part].clone()).collect();
        for at in table_sql::find(engine, child, &columns, &values)? {
            found.push((at, Some(id.clone())));
        }
    }
    Ok(found)
}

fn has_changed(engine: &Engine, table_no: u32, seq: u64) -> Result<bool, StoreError> {
    let sql = format!("SELECT 1 FROM {} WHERE s = ?1 LIMIT 1", clock_table(table_no));
    Ok(engine.conn.prepare_cached(&sql)?.exists([seq as i64])?)
}

/// Sets what a referring column of a shown row says now. Answers whether that is a write of its
/// own, and not a part of one that the fold saw.
fn settle_column(
    engine: &Engine,
    table: &Table,
    row: &mut Row,
    position: usize,
    version: Version,
    seq: u64,
) -> Result<bool, StoreError> {
    let column = &table.columns[position];
    let Some(local) = row.local.get(position).filter(|local| **local != Value::Null) else {
        return Ok(false);
    };
    if matches!(row.shadows.get(&column.no), Some(Value::Dangling(_))) {
        return Ok(false);
    }
    let value = match &column.reference {
        Some(reference) => refs::to_global(engine, reference, local)?,
        None if is_dangling(engine, table, row, position)? => {
            Value::Dangling(Box::new(refs::key_value(local.clone())))
        }
        None => return Ok(false),
    };
    if let Value::Dangling(_) = value {
        row.shadows.insert(column.no, value.clone());
    }
    row.dirty = true;
    let written = row.record.cells.get(&column.no).is_some_and(|held| held.seq == seq);
    let held = row.record.cells.entry(column.no);
    let cell = held.or_insert_with(|| RecordCell { cell: Cell { version, value: value.clone() }, seq });
    cell.cell.value = value;
    if !written {
        (cell.cell.version, cell.seq) = (version, seq);
    }
    Ok(!written)
}

/// Whether a plain foreign key that has this column refers to nothing.
fn is_dangling(engine: &Engine, table: &Table, row: &Row, position: usize) -> Result<bool, StoreError> {
    for key in table.foreign_keys.iter().filter(|key| key.columns.contains(&position)) {
        let Some(parent) = engine.catalog.tables.get(&key.parent) else { continue };
        let named =
            |name: &String| parent.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        let Some(columns) = key.parent_columns.iter().map(named).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let values: Vec<Value> = key.columns.iter().map(|&at| row.local[at].clone()).collect();
        let columns: Vec<_> = columns.into_iter().map(|at| (at, None)).collect();
        if !values.contains(&Value::Null) && table_sql::find(engine, parent, &columns, &values)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A row that is identified by the row that was under a key is another row now: the old one is
/// dead, and the one that is shown was born.
fn rename(
    engine: &mut Engine,
    (table_no, at): &Child,
    was: &BTreeMap<usize, RowId>,
    version: Version,
    seq: u64,
) -> Result<(), StoreError> {
    let Some((RowId::Natural(parts), clock)) = refs::clock(engine, *table_no, at)? else { return Ok(()) };
    let table = engine.catalog.tables[table_no].clone();
    let old: Box<[Value]> = parts
        .iter()
        .zip(&table.key)
        .map(|(part, position)| {
            was.get(position).map_or_else(|| part.clone(), |id| Value::Ref(Box::new(id.clone())))
        })
        .collect();
    if old == parts {
        return Ok(());
    }
    let (old, new) = (RowId::Natural(old), RowId::Natural(parts));
    refs::remove_shadows(engine, *table_no, &old)?;
    // Inserted in this very fold, it never was the old one.
    if clock.life_seq != seq {
        let life = Life { died: clock.life.died.max(Some(version)), ..clock.life };
        let record = Record { life, life_seq: seq, cells: BTreeMap::new() };
        refs::put_aside(engine, *table_no, &old, AsideReason::Deleted, None, &record)?;
    }
    let past = refs::aside(engine, *table_no, &new)?;
    refs::remove_aside(engine, *table_no, &new)?;
    let born = RowClock::inserted(version, seq, table.column_count());
    let mut row =
        Row { record: Record { life: born.life, life_seq: seq, cells: BTreeMap::new() }, ..Row::default() };
    if let Some((_, past)) = past {
        row.record.life.join(&past.life);
    }
    let local = table_sql::read(engine, &table, at)?;
    for (position, value) in local.into_iter().enumerate().filter(|(at, _)| !is_identity(&table, &new, *at)) {
        row.record
            .cells
            .insert(table.columns[position].no, RecordCell { cell: Cell { version, value }, seq });
    }
    let clock = row.clock(&table, &new, at);
    refs::put_clock(engine, *table_no, at, &new, &clock)
}
