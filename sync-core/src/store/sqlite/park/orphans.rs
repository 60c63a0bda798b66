//! Local references to nothing.
//!
//! A reference that was written to nothing dangles from the start. One whose parent the
//! application deleted, and left standing, dangles by that act, or means the row that has come
//! under its key: that is a local write like any other, with the fold's log number, and so the row
//! is everywhere as the application has it. SQLite allows neither where it enforces foreign keys.
//!
//! A part of a natural key has no version of its own, so there is no such write where a row is
//! identified by what it refers to. Where that is a surrogate row, the fold has made it another
//! row; where it is a plain value, the row is hidden, as everywhere else, until its parent is back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::fold::Folded;
use super::super::refs;
use super::super::system::clock_table;
use super::links::Link;
use super::row::{LocalKey, Row};
use super::table_sql;
use super::work::Work;
use crate::clock::Version;
use crate::merge::Cell;
use crate::store::{RecordCell, StoreError};
use crate::value::Value;

/// A row whose reference is to be looked at: its table and local key.
type Child = (u32, LocalKey);

/// Gives the references that lost their row in this fold, and those that were written to nothing,
/// their merged values. Takes the rows that may have to be hidden into `work`.
pub(super) fn mark(engine: &mut Engine, folded: &Folded, work: &mut Work) -> Result<(), StoreError> {
    let mut found: BTreeMap<Child, BTreeSet<usize>> = BTreeMap::new();
    let mut hidden = BTreeSet::new();
    let links = Arc::clone(&work.links);
    for child in engine.catalog.tables.values() {
        for link in links.from(child.no) {
            let in_key = |position: &usize| child.key.contains(position) && !child.is_surrogate();
            let all_in_key = link.child_columns.iter().all(in_key);
            if all_in_key && link.by_row && !child.nullable_key {
                continue;
            }
            for at in candidates(engine, child, link, folded)? {
                // Where a part of the key is NULL, the others are cells.
                let has_null = refs::is_null_key(&at);
                if all_in_key && !has_null {
                    if link.by_row {
                        continue;
                    }
                    if let Some((id, _)) = refs::clock(engine, child.no, &at)? {
                        hidden.insert((child.no, id));
                    }
                    continue;
                }
                let key = (child.no, at);
                let is_cell = |position: &&usize| has_null || !in_key(position);
                for &position in link.child_columns.iter().filter(is_cell) {
                    found.entry(key.clone()).or_default().insert(position);
                }
            }
        }
    }
    if !found.is_empty() {
        settle_columns(engine, folded, found)?;
    }
    // With what their columns say by now.
    for key in hidden {
        work.load(engine, &key)?;
    }
    Ok(())
}

/// Sets what these columns say now.
fn settle_columns(
    engine: &mut Engine,
    folded: &Folded,
    found: BTreeMap<Child, BTreeSet<usize>>,
) -> Result<(), StoreError> {
    let version = Version::new(engine.meta.clock().next(), engine.site());
    let mut late = false;
    let mut children = Work::new(engine)?;
    for ((table_no, at), positions) in found {
        let Some((id, _)) = refs::clock(engine, table_no, &at)? else { continue };
        let table = engine.catalog.tables[&table_no].clone();
        let key = (table_no, id);
        let row = children.load(engine, &key)?;
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
    Ok(())
}

/// The shown rows whose reference through a link may have lost its row.
fn candidates(
    engine: &Engine,
    child: &Table,
    link: &Link,
    folded: &Folded,
) -> Result<Vec<LocalKey>, StoreError> {
    let parent = &engine.catalog.tables[&link.parent];
    let orphans =
        |seq| table_sql::orphans(engine, child, &link.child_columns, parent, &link.parent_columns, seq);
    let mut found = orphans(Some(folded.seq as i64))?;
    let parts: Option<Vec<usize>> =
        link.parent_columns.iter().map(|at| parent.key.iter().position(|key| key == at)).collect();
    let left = folded.left.get(&link.parent).map_or(&[][..], Vec::as_slice);
    let Some(parts) = parts else {
        // The values that the parent had there are gone with it.
        if !left.is_empty() || has_changed(engine, link.parent, folded.seq)? {
            found.extend(orphans(None)?);
        }
        return Ok(found);
    };
    for (key, _) in left.iter().filter(|(key, _)| !refs::is_null_key(key)) {
        let values: Vec<Value> = parts.iter().map(|&part| key[part].clone()).collect();
        found.extend(table_sql::find_children(engine, child, link, &values)?);
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
        // Of a pair each part may mean a row where the pair means none.
        _ if is_dangling(engine, table, row, position)? => {
            Value::Dangling(Box::new(refs::key_value(local.clone())))
        }
        Some(reference) => refs::to_global(engine, reference, local)?,
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
