//! What waits under one name put to what is there under another.

use std::collections::{BTreeMap, BTreeSet};

use super::super::apply::{self, Shown};
use super::super::catalog::Table;
use super::super::catalog_load;
use super::super::conflict;
use super::super::engine::Engine;
use super::super::names;
use super::super::refs;
use super::super::row_clock::expand_id;
use super::super::schema_notes;
use super::super::system::PREFIX;
use super::super::tracking::filled_columns;
use super::table::Renames;
use crate::change::RowChange;
use crate::clock::Version;
use crate::id::RowId;
use crate::merge::Cell;
use crate::store::{Record, RecordCell, StoreError};

/// Gives the tables and columns of this file the names that others know them by, as far as the
/// renames say so, and joins what has come under another name. Answers whether anything was done;
/// the catalog is out of date then.
pub(in super::super) fn apply(engine: &mut Engine, shown: &mut Shown) -> Result<bool, StoreError> {
    let renames = Renames::load(&engine.conn)?;
    if renames.is_empty() {
        return Ok(false);
    }
    let mut any = false;
    let known: Vec<String> = engine.catalog.numbers.keys().cloned().collect();
    for name in known {
        if let Some(end) = renames.table(&name) {
            any |= join_tables(engine, &name, &end, shown)?;
        }
    }
    if any {
        let catalog = catalog_load::load(&engine.conn)?;
        engine.set_catalog(catalog);
    }
    let tables: Vec<Table> = engine.catalog.tables.values().cloned().collect();
    for table in &tables {
        for (name, &no) in &table.numbers {
            let Some(end) = renames.column(&table.wire_name, name) else { continue };
            any |= join_columns(engine, table, no, &end)?;
        }
    }
    Ok(any)
}

/// Which of two numbers stays: the one that the schema has. `None` where it has both, so that they
/// are two things here.
fn keeps<T>((from, from_here): (T, bool), (into, into_here): (T, bool)) -> Option<(T, T)> {
    match (from_here, into_here) {
        (true, true) => None,
        (true, false) => Some((into, from)),
        (false, _) => Some((from, into)),
    }
}

/// A name that nobody uses: numbers are not handed out twice, so that of what was joined stays.
fn retired(no: u32) -> String {
    format!("{PREFIX}joined_{no}")
}

fn join_tables(engine: &mut Engine, name: &str, end: &str, shown: &mut Shown) -> Result<bool, StoreError> {
    let Some(from) = engine.catalog.number(name) else { return Ok(false) };
    let is_here = |no: &u32| engine.catalog.tables.contains_key(no);
    let into = catalog_load::table_number(&engine.conn, end)?;
    let Some(into) = into else {
        if let Some(table) = engine.catalog.tables.get(&from).cloned() {
            // Nothing has come under that name yet.
            name_table(engine, from, end, &table.name)?;
        }
        return Ok(engine.catalog.tables.contains_key(&from));
    };
    let Some((gone, kept)) = keeps((from, is_here(&from)), (into, is_here(&into))) else { return Ok(false) };
    if gone == kept {
        return Ok(false);
    }
    let rows = take_aside(engine, gone)?;
    name_table(engine, gone, &retired(gone), "")?;
    if let Some(table) = engine.catalog.tables.get(&kept).cloned() {
        name_table(engine, kept, end, &table.name)?;
    }
    let catalog = catalog_load::load(&engine.conn)?;
    engine.set_catalog(catalog);
    let columns = columns_of(engine, gone, kept)?;
    shown.extend(apply::rejoin(engine, kept, rows, &columns)?);
    Ok(true)
}

fn name_table(engine: &Engine, no: u32, wire_name: &str, here: &str) -> Result<(), StoreError> {
    engine.conn.execute("UPDATE __pocketsync_table SET name = ?2 WHERE no = ?1", (no, wire_name))?;
    let here = Some(here).filter(|here| !here.is_empty() && *here != wire_name);
    Ok(names::set_table(&engine.conn, no, here)?)
}

/// Takes out the records of a table that this file does not have.
fn take_aside(engine: &mut Engine, table_no: u32) -> Result<Vec<RowChange>, StoreError> {
    let records: Vec<(Vec<u8>, Vec<u8>)> = engine
        .conn
        .prepare("SELECT id, state FROM __pocketsync_aside WHERE tbl = ?1 ORDER BY id")?
        .query_map([table_no], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    engine.conn.execute("DELETE FROM __pocketsync_aside WHERE tbl = ?1", [table_no])?;
    let mut rows = Vec::with_capacity(records.len());
    for (id, state) in records {
        let record = Record::decode(&state, &engine.sites)?;
        rows.extend(record.changes(&expand_id(&id, &engine.sites)?, |_| true));
    }
    Ok(rows)
}

/// By the number of a column of one table the number of the same column of another.
fn columns_of(engine: &mut Engine, from: u32, into: u32) -> Result<Vec<u32>, StoreError> {
    let mut columns = Vec::new();
    for (name, no) in catalog_load::column_numbers(&engine.conn, from)? {
        let no = no as usize;
        columns.resize(columns.len().max(no + 1), 0);
        columns[no] = apply::column_number(engine, into, &name)?;
    }
    Ok(columns)
}

fn join_columns(engine: &mut Engine, table: &Table, from: u32, end: &str) -> Result<bool, StoreError> {
    let is_here = |no: u32| table.position(no).is_some();
    let into = table.numbers.iter().find(|(known, _)| known.eq_ignore_ascii_case(end)).map(|(_, no)| *no);
    let here = |no: u32| table.position(no).map(|at| table.columns[at].name.clone());
    let Some(into) = into else {
        name_column(engine, table.no, from, end, here(from).as_deref().unwrap_or_default())?;
        return Ok(true);
    };
    let Some((gone, kept)) = keeps((from, is_here(from)), (into, is_here(into))) else { return Ok(false) };
    name_column(engine, table.no, gone, &retired(gone), "")?;
    name_column(engine, table.no, kept, end, here(kept).as_deref().unwrap_or_default())?;
    let seq = engine.meta.next_seq();
    let waiting = shadowed_rows(engine, table.no, gone)?;
    let mut changed = false;
    for id in waiting {
        changed |= join_shadow(engine, table, &id, (gone, kept, end), seq)?;
    }
    changed |= inherit(engine, table, (gone, kept), seq)?;
    changed |= join_records(engine, table.no, (gone, kept), seq)?;
    schema_notes::settle(&engine.conn, table.no, here(kept).as_deref().or(Some("")))?;
    if changed {
        apply::log_own(engine, seq)?;
    } else {
        engine.meta.head = seq as i64 - 1;
    }
    Ok(true)
}

fn name_column(engine: &Engine, table: u32, no: u32, wire_name: &str, here: &str) -> Result<(), StoreError> {
    engine.conn.execute(
        "UPDATE __pocketsync_column SET name = ?3 WHERE tbl = ?1 AND no = ?2",
        (table, no, wire_name),
    )?;
    let here = Some(here).filter(|here| !here.is_empty() && *here != wire_name);
    Ok(names::set_column(&engine.conn, table, no, here)?)
}

fn shadowed_rows(engine: &Engine, table: u32, column: u32) -> Result<Vec<RowId>, StoreError> {
    let ids: BTreeSet<Vec<u8>> = engine
        .conn
        .prepare("SELECT id FROM __pocketsync_shadow WHERE tbl = ?1 AND col = ?2")?
        .query_map((table, column), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    ids.iter().map(|id| Ok(expand_id(id, &engine.sites)?)).collect()
}

/// A shown row that has a value which waits for a column that is here under another number.
fn join_shadow(
    engine: &mut Engine,
    shown: &Table,
    id: &RowId,
    (gone, kept, name): (u32, u32, &str),
    seq: u64,
) -> Result<bool, StoreError> {
    let table = shown.no;
    let shadows = refs::shadows(engine, table, id)?;
    refs::remove_shadow(engine, table, id, gone)?;
    let Some(key) = refs::local_key(engine, table, id)? else { return Ok(false) };
    let Some((_, mut clock)) = refs::clock(engine, table, &key)? else { return Ok(false) };
    let Some(value) = shadows.get(&gone) else { return Ok(false) };
    let ((version, _), (held, held_seq)) = (clock.column(gone), clock.column(kept));
    let wins = held_seq == 0 || version > held;
    if held_seq != 0 && clock.life.covers(version) && clock.life.covers(held) {
        let hidden = Cell { version, value: value.clone() };
        conflict::log_joined(engine, shown, (id, &key), (kept, name), held, &hidden)?;
    }
    if wins {
        // Shown where it belongs by the look at what waits that follows.
        refs::put_shadow(engine, table, id, kept, value)?;
        clock.set_column(kept, version, seq);
    }
    clock.shadowed = wins || shadows.keys().any(|column| *column != gone);
    refs::put_clock(engine, table, &key, id, &clock)?;
    Ok(wins)
}

/// What a rebuild put from the old column into the new one has the versions that the old one had.
fn inherit(
    engine: &mut Engine,
    table: &Table,
    (gone, kept): (u32, u32),
    seq: u64,
) -> Result<bool, StoreError> {
    let was_here: i64 = engine.conn.query_row(
        "SELECT captured FROM __pocketsync_column WHERE tbl = ?1 AND no = ?2",
        (table.no, gone),
        |row| row.get(0),
    )?;
    if was_here == 0 || table.position(kept).is_none() {
        return Ok(false);
    }
    let mut any = false;
    for key in filled_columns::keys(engine, table, "1")? {
        let Some((id, mut clock)) = refs::clock(engine, table.no, &key)? else { continue };
        let ((version, was_written), (held, _)) = (clock.column(gone), clock.column(kept));
        if was_written > 0 && held == Version::GENESIS && version > held {
            clock.set_column(kept, version, seq);
            refs::put_clock(engine, table.no, &key, &id, &clock)?;
            any = true;
        }
    }
    Ok(any)
}

/// Records of rows that the table does not show.
fn join_records(
    engine: &mut Engine,
    table: u32,
    (gone, kept): (u32, u32),
    seq: u64,
) -> Result<bool, StoreError> {
    let mut any = false;
    let rows: BTreeMap<Vec<u8>, (Vec<u8>, Option<String>)> = engine
        .conn
        .prepare("SELECT id, state, detail FROM __pocketsync_aside WHERE tbl = ?1")?
        .query_map([table], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
        .collect::<Result<_, _>>()?;
    for (id, (state, detail)) in rows {
        let mut record = Record::decode(&state, &engine.sites)?;
        let Some(cell) = record.cells.remove(&gone) else { continue };
        if record.cells.get(&kept).is_none_or(|held| held.cell < cell.cell) {
            record.cells.insert(kept, RecordCell { seq, ..cell });
            any = true;
        }
        let id = expand_id(&id, &engine.sites)?;
        if let Some((reason, _)) = refs::aside(engine, table, &id)? {
            refs::put_aside(engine, table, &id, reason, detail.as_deref(), &record)?;
        }
    }
    Ok(any)
}
