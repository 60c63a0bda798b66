//! ALTER TABLE RENAME COLUMN.
//!
//! SQLite rewrites the triggers with the column, so the bit that stands beside the new name says
//! which column it was. For others the new name is another column: what was written under the old
//! one is written under the new one too, in the versions that it has, so that all replicas that
//! rename, each at its time, come to the same cells.

use std::collections::BTreeMap;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::introspect::RawTable;
use super::super::refs::{self, null_key, value};
use super::super::row_clock::{RowClock, expand_id};
use super::super::system::{PREFIX, clock_table, flag, key_column, key_columns_list, null_key_clock_table};
use super::triggers;
use crate::store::{Record, StoreError};
use crate::value::Value;

/// The renamed columns of a table: old number by new name.
pub(in super::super) fn find(
    conn: &Connection,
    table_no: u32,
    raw: &RawTable,
) -> rusqlite::Result<BTreeMap<String, u32>> {
    let captured: BTreeMap<String, u32> = conn
        .prepare_cached("SELECT name, no FROM __pocketsync_column WHERE tbl = ?1 AND captured")?
        .query_map([table_no], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let is_present = |name: &str| raw.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let is_captured = |name: &str| captured.keys().any(|known| known.eq_ignore_ascii_case(name));
    let gone: Vec<u32> = captured.iter().filter(|(name, _)| !is_present(name)).map(|(_, no)| *no).collect();
    let mut renamed = BTreeMap::new();
    if gone.is_empty() {
        return Ok(renamed);
    }
    let update = format!("{PREFIX}{table_no}_update");
    let sql: Option<String> = conn
        .prepare_cached("SELECT sql FROM main.sqlite_master WHERE type = 'trigger' AND name = ?1")?
        .query_row([update], |row| row.get(0))
        .optional()?;
    let Some(sql) = sql else { return Ok(renamed) };
    for column in raw.columns.iter().filter(|column| !is_captured(&column.name)) {
        let differs = triggers::differs(&column.name, &column.declared_type);
        if let Some(no) = gone.iter().copied().find(|no| sql.contains(&triggers::bit(*no, &differs))) {
            renamed.insert(column.name.clone(), no);
        }
    }
    Ok(renamed)
}

/// Writes under its new number what is known of a column under its old one: in the clocks of shown
/// rows, in the records of the others, and in the entries that wait in the journal.
pub(in super::super) fn carry_over(
    engine: &mut Engine,
    table: &Table,
    (old, new): (u32, u32),
) -> Result<(), StoreError> {
    engine.conn.execute(
        &format!(
            "UPDATE {PREFIX}journal SET m = m | ?3 WHERE t = ?1 AND f = {} AND m & ?2 AND typeof(m) = 'integer'",
            flag::UPDATE
        ),
        (table.no, 1_i64 << old, 1_i64.checked_shl(new).filter(|_| new <= triggers::MAX_BIT).unwrap_or(0)),
    )?;
    let seq = engine.meta.next_seq();
    if table.is_surrogate() {
        shown_rows(engine, table, (&clock_table(table.no), 1), (old, new), seq)?;
    } else if !table.key.iter().any(|&at| table.columns[at].no == new) {
        // A part of a natural key is no cell.
        shown_rows(engine, table, (&clock_table(table.no), table.key.len()), (old, new), seq)?;
    }
    if table.nullable_key {
        shown_rows(engine, table, (&null_key_clock_table(table.no), 0), (old, new), seq)?;
    }
    other_rows(engine, table.no, (old, new), seq)?;
    let meta = &mut engine.meta;
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_log(seq, floor, jump, counter, clock) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((seq as i64, meta.foreign_clock, meta.jump, meta.counter, meta.clock))?;
    // Some of these versions were offered under smaller numbers: none is corrected any more.
    meta.offered_seq = meta.offered_seq.max(seq as i64);
    meta.offered_counter = meta.offered_counter.max(meta.counter);
    meta.offered_clock = meta.offered_clock.max(meta.clock);
    Ok(())
}

/// The rows of a clock table with so many key columns; 0 for rows that are keyed by rowid because
/// of a NULL.
fn shown_rows(
    engine: &mut Engine,
    table: &Table,
    (clocks, keys): (&str, usize),
    (old, new): (u32, u32),
    seq: u64,
) -> Result<(), StoreError> {
    let count = keys.max(1);
    let rows: Vec<(Vec<SqlValue>, Vec<Value>, Vec<u8>)> = engine
        .conn
        .prepare(&format!("SELECT {}, r FROM {clocks}", key_columns_list(count)))?
        .query_map([], |row| {
            let stored = (0..count).map(|at| row.get(at)).collect::<Result<_, _>>()?;
            let local = (0..count).map(|at| Ok(value(row.get_ref(at)?))).collect::<rusqlite::Result<_>>()?;
            Ok((stored, local, row.get(count)?))
        })?
        .collect::<Result<_, _>>()?;
    let on_key: Vec<_> = (1..=count).map(|n| format!("{} = ?{n}", key_column(n))).collect();
    let update =
        format!("UPDATE {clocks} SET s = ?{}, r = ?{} WHERE {}", count + 1, count + 2, on_key.join(" AND "));
    for (mut parameters, local, clock) in rows {
        let mut clock = RowClock::decode(&clock, &engine.sites)?;
        let (version, written) = clock.column(old);
        if written == 0 {
            continue;
        }
        if clock.shadowed {
            let key = match (keys, &local[..]) {
                (0, [Value::Integer(rowid)]) => null_key(*rowid),
                _ => local.into_boxed_slice(),
            };
            if let Some(id) = refs::row_id(engine, table.no, &key)? {
                let waiting = refs::shadows(engine, table.no, &id)?.contains_key(&new);
                if waiting && clock.column(new).0 > version {
                    continue;
                }
                refs::remove_shadow(engine, table.no, &id, new)?;
            }
        }
        clock.set_column(new, version, seq);
        parameters.push(SqlValue::Integer(seq as i64));
        parameters.push(SqlValue::Blob(clock.encode(&mut engine.sites)));
        engine.conn.prepare_cached(&update)?.execute(params_from_iter(parameters))?;
    }
    Ok(())
}

/// Rows that the table does not show.
fn other_rows(
    engine: &mut Engine,
    table_no: u32,
    (old, new): (u32, u32),
    seq: u64,
) -> Result<(), StoreError> {
    let rows: Vec<Vec<u8>> = engine
        .conn
        .prepare_cached("SELECT id FROM __pocketsync_aside WHERE tbl = ?1")?
        .query_map([table_no], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in rows {
        let (state, detail): (Vec<u8>, Option<String>) = engine
            .conn
            .prepare_cached("SELECT state, detail FROM __pocketsync_aside WHERE tbl = ?1 AND id = ?2")?
            .query_row((table_no, &id), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut record = Record::decode(&state, &engine.sites)?;
        let Some(cell) = record.cells.get(&old).cloned() else { continue };
        if record.cells.get(&new).is_some_and(|there| there.cell.version > cell.cell.version) {
            continue;
        }
        record.cells.insert(new, crate::store::RecordCell { seq, ..cell });
        let id = expand_id(&id, &engine.sites)?;
        if let Some((reason, _)) = refs::aside(engine, table_no, &id)? {
            refs::put_aside(engine, table_no, &id, reason, detail.as_deref(), &record)?;
        }
    }
    Ok(())
}
