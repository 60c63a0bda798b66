//! ALTER TABLE RENAME COLUMN.
//!
//! SQLite rewrites the triggers with the column, so the bit that stands beside the new name says
//! which column it was. Its cells keep their versions and are sent once more, under the new name:
//! a replica that renames later comes to the same cells.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::super::catalog::Table;
use super::super::catalog_load::column_numbers;
use super::super::engine::Engine;
use super::super::introspect::RawTable;
use super::super::row_clock::RowClock;
use super::super::system::{PREFIX, clock_table, key_column, key_columns_list, null_key_clock_table};
use super::triggers;
use crate::store::StoreError;

/// Gives renamed columns their new names. Answers with their numbers.
pub(in super::super) fn follow(
    conn: &Connection,
    table_no: u32,
    raw: &RawTable,
) -> rusqlite::Result<Vec<u32>> {
    let numbers = column_numbers(conn, table_no)?;
    let is_present = |name: &str| raw.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let is_known = |name: &str| numbers.keys().any(|known| known.eq_ignore_ascii_case(name));
    let gone: Vec<u32> = numbers.iter().filter(|(name, _)| !is_present(name)).map(|(_, no)| *no).collect();
    let mut renamed = Vec::new();
    for column in raw.columns.iter().filter(|column| !gone.is_empty() && !is_known(&column.name)) {
        let sql: Option<String> = conn
            .query_row(
                "SELECT sql FROM main.sqlite_master WHERE type = 'trigger' AND name = ?1",
                [format!("{PREFIX}{table_no}_update")],
                |row| row.get(0),
            )
            .optional()?;
        let Some(sql) = sql else { continue };
        let bit = |no: u32| triggers::bit(no, &triggers::differs(&column.name, &column.declared_type));
        if let Some(no) = gone.iter().copied().find(|no| sql.contains(&bit(*no))) {
            conn.execute(
                "UPDATE __pocketsync_column SET name = ?3 WHERE tbl = ?1 AND no = ?2",
                (table_no, no, &column.name),
            )?;
            renamed.push(no);
        }
    }
    Ok(renamed)
}

/// Puts these columns of every row at the end of the log, in their present versions.
pub(in super::super) fn send_again(
    engine: &mut Engine,
    table: &Table,
    columns: &[u32],
) -> Result<(), StoreError> {
    let seq = engine.meta.next_seq();
    renumber(
        engine,
        &clock_table(table.no),
        if table.is_surrogate() { 1 } else { table.key.len() },
        columns,
        seq,
    )?;
    if table.nullable_key {
        renumber(engine, &null_key_clock_table(table.no), 1, columns, seq)?;
    }
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

fn renumber(
    engine: &mut Engine,
    clocks: &str,
    keys: usize,
    columns: &[u32],
    seq: u64,
) -> Result<(), StoreError> {
    let rows: Vec<(Vec<Value>, Vec<u8>)> = engine
        .conn
        .prepare(&format!("SELECT {}, r FROM {clocks}", key_columns_list(keys)))?
        .query_map([], |row| {
            let key = (0..keys).map(|at| row.get(at)).collect::<Result<_, _>>()?;
            Ok((key, row.get(keys)?))
        })?
        .collect::<Result<_, _>>()?;
    let on_key: Vec<_> = (1..=keys).map(|n| format!("{} = ?{n}", key_column(n))).collect();
    let mut update = engine.conn.prepare(&format!(
        "UPDATE {clocks} SET s = ?{}, r = ?{} WHERE {}",
        keys + 1,
        keys + 2,
        on_key.join(" AND ")
    ))?;
    for (mut parameters, clock) in rows {
        let mut clock = RowClock::decode(&clock, &engine.sites)?;
        for &column in columns {
            let (version, _) = clock.column(column);
            clock.set_column(column, version, seq);
        }
        parameters.push(Value::Integer(seq as i64));
        parameters.push(Value::Blob(clock.encode(&mut engine.sites)));
        update.execute(params_from_iter(parameters))?;
    }
    Ok(())
}
