//! Own changes that a peer did not take, kept aside: a row each.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::engine::Engine;
use super::refs;
use super::row_clock::{compact_id, find_compact_id};
use crate::change::{CellChange, Changeset, RowChange, TableChanges};
use crate::conflict::LoggedConflict;
use crate::id::RowId;
use crate::merge::Life;
use crate::merge::share::{Share, ShareName};
use crate::store::{Mint, RefusalReason, StoreError};
use crate::value::Value;

/// The first format of the system tables that has such changes.
const SINCE_FORMAT: i64 = 4;

/// What was refused of one row.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) table_no: u32,
    pub(super) reason: RefusalReason,
    pub(super) since_ms: Option<u64>,
    /// The row, alone, by the names that replicas have for table and columns.
    pub(super) changes: TableChanges,
}

/// How many rows something was refused of.
pub(super) fn count(engine: &Engine) -> Result<u64, StoreError> {
    if !is_there(engine) {
        return Ok(0);
    }
    let mut statement = engine.conn.prepare_cached("SELECT count(*) FROM __pocketsync_refused")?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Everything that was refused, by table and row.
pub(super) fn list(engine: &Engine) -> Result<Vec<Entry>, StoreError> {
    let mut found = Vec::new();
    if !is_there(engine) {
        return Ok(found);
    }
    let sql = "SELECT tbl, reason, since, body FROM __pocketsync_refused ORDER BY tbl, id";
    let mut statement = engine.conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let body = Changeset::decode(row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?)?;
        for changes in body.tables {
            found.push(Entry {
                table_no: row.get(0)?,
                reason: RefusalReason::from(row.get::<_, u16>(1)?),
                since_ms: u64::try_from(row.get::<_, i64>(2)?).ok(),
                changes,
            });
        }
    }
    Ok(found)
}

/// Keeps what was refused of a row, together with what was refused of it before: of each part the later write, of
/// shares both.
pub(super) fn put(
    engine: &mut Engine,
    table_no: u32,
    reason: RefusalReason,
    changes: TableChanges,
) -> Result<(), StoreError> {
    let Some(id) = changes.rows.first().map(|row| row.id.clone()) else { return Ok(()) };
    let bytes = compact_id(&id, &mut engine.sites);
    let sql = "SELECT body FROM __pocketsync_refused WHERE tbl = ?1 AND id = ?2";
    let mut statement = engine.conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![table_no, bytes])?;
    let mut both = changes;
    if let Some(row) = rows.next()? {
        let before = Changeset::decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        for before in before.tables {
            both = joined(engine, before, both)?;
        }
    }
    let body = Changeset { tables: vec![both] }.encode();
    engine
        .conn
        .prepare_cached(
            "INSERT OR REPLACE INTO __pocketsync_refused(tbl, id, reason, since, body)
             VALUES(?1, ?2, ?3, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), ?4)",
        )?
        .execute(params![table_no, bytes, u16::from(reason), body])?;
    Ok(())
}

fn joined(engine: &Engine, before: TableChanges, now: TableChanges) -> Result<TableChanges, StoreError> {
    let us = engine.site();
    let name = now.name.clone();
    let mut both: BTreeMap<String, CellChange> = BTreeMap::new();
    let mut life = Life::default();
    let mut id = None;
    for table in [before, now] {
        for change in table.rows {
            life.join(&change.life);
            id = Some(change.id);
            for cell in change.cells {
                let name = &table.columns[cell.column as usize];
                let share = ShareName::parse(name).filter(|share| share.site == us);
                let kept = match (both.remove(name), share) {
                    (None, _) => cell,
                    (Some(held), Some(share)) => {
                        let first = Share::from_value(share.merge, &held.value)?;
                        let more = Share::from_value(share.merge, &cell.value)?;
                        CellChange { value: first.plus(share.merge, &more, us).to_value(), ..cell }
                    }
                    (Some(held), None) => std::cmp::max_by_key(held, cell, |cell| cell.version),
                };
                both.insert(name.clone(), kept);
            }
        }
    }
    let (columns, cells): (Vec<String>, Vec<CellChange>) = both.into_iter().unzip();
    let cells = (0..).zip(cells).map(|(column, cell)| CellChange { column, ..cell }).collect();
    let rows = id.map(|id| RowChange { id, life, cells }).into_iter().collect();
    Ok(TableChanges { name, columns, rows })
}

/// Forgets what was refused of a row. Says whether there was anything.
pub(super) fn forget(engine: &Engine, table_no: u32, id: &RowId) -> Result<bool, StoreError> {
    let Some(bytes) = find_compact_id(id, &engine.sites) else { return Ok(false) };
    let sql = "DELETE FROM __pocketsync_refused WHERE tbl = ?1 AND id = ?2";
    Ok(engine.conn.prepare_cached(sql)?.execute(params![table_no, bytes])? > 0)
}

/// Gives our new site what was refused of the old one: its shares, and the rows of its that nobody has.
pub(super) fn rename(engine: &mut Engine, mint: &Mint) -> Result<(), StoreError> {
    let entries = list(engine)?;
    let mut nowhere = BTreeSet::new();
    for Entry { table_no, changes, .. } in &entries {
        for id in changes.rows.iter().map(|row| &row.id) {
            let is_of_old = matches!(id, RowId::Surrogate { site, .. } if *site == mint.old);
            let is_shown = || Ok::<_, StoreError>(refs::clock_by_id(engine, *table_no, id)?.is_some());
            if is_of_old && !is_shown()? && refs::aside(engine, *table_no, id)?.is_none() {
                nowhere.insert(id.clone());
            }
        }
    }
    for Entry { table_no, reason, mut changes, .. } in entries {
        for name in &mut changes.columns {
            if let Some(share) = ShareName::parse(name).filter(|share| share.site == mint.old) {
                *name = ShareName { site: mint.new, ..share }.to_string();
            }
        }
        for row in &mut changes.rows {
            forget(engine, table_no, &row.id)?;
            row.id = renamed(&row.id, mint, &nowhere);
            for cell in &mut row.cells {
                cell.value = renamed_in(&cell.value, mint, &nowhere);
            }
        }
        put(engine, table_no, reason, changes)?;
    }
    Ok(())
}

fn renamed(id: &RowId, mint: &Mint, nowhere: &BTreeSet<RowId>) -> RowId {
    match id {
        RowId::Surrogate { counter, .. } if nowhere.contains(id) => {
            RowId::Surrogate { site: mint.new, counter: *counter }
        }
        RowId::Natural(key) => {
            RowId::Natural(key.iter().map(|part| renamed_in(part, mint, nowhere)).collect())
        }
        other => mint.id(other),
    }
}

fn renamed_in(value: &Value, mint: &Mint, nowhere: &BTreeSet<RowId>) -> Value {
    match value {
        Value::Ref(id) => Value::Ref(Box::new(renamed(id, mint, nowhere))),
        Value::Dangling(inner) => Value::Dangling(Box::new(renamed_in(inner, mint, nowhere))),
        other => other.clone(),
    }
}

/// A cell that is refused is not told of along with others, although it has lost.
pub(super) fn forget_conflicts(
    engine: &Engine,
    table_no: u32,
    refused: &RowChange,
    columns: &[u32],
) -> Result<(), StoreError> {
    for cell in &refused.cells {
        let mut statement = engine.conn.prepare_cached(
            "SELECT id, logged_ms, body FROM __pocketsync_conflict
             WHERE own_seq IS NOT NULL AND tbl = ?1 AND col = ?2",
        )?;
        let mut rows = statement.query(params![table_no, columns[cell.column as usize]])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let conflict = LoggedConflict::decode(id.unsigned_abs(), 0, body)?;
            if conflict.row == refused.id
                && conflict.here.site == cell.version.site
                && conflict.here.hlc == cell.version.hlc
            {
                let sql = "UPDATE __pocketsync_conflict SET own_seq = NULL WHERE id = ?1";
                engine.conn.prepare_cached(sql)?.execute([id])?;
            }
        }
    }
    Ok(())
}

fn is_there(engine: &Engine) -> bool {
    engine.is_tracked() && engine.meta.format >= SINCE_FORMAT
}
