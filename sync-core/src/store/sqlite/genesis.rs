//! Rows that were there before tracking began.

use rusqlite::Row;
use sha2::{Digest, Sha256};

use super::catalog::{Column, Table};
use super::engine::Engine;
use super::refs::value;
use super::row_clock::{RowClock, compact_id};
use super::system::{clock_table, key_column, key_columns_list, null_key_clock_table, quote};
use crate::clock::Version;
use crate::codec::Writer;
use crate::id::RowId;
use crate::store::{StoreError, StoreErrorKind};
use crate::value::Value;

/// How many rows are held in memory at a time.
const BATCH: i64 = 10_000;

/// Gives the rows of a table that have no clock one, as [`Version::GENESIS`] and under one log
/// number, and answers how many these were. Runs in the transaction that is open, when tracking
/// of the table begins.
///
/// Rows that no replica inserted are the same row wherever a copy of the file is tracked: their
/// ids follow from what they hold. NULLs and values that equal their column's constant default
/// do not count, so that a copy to which a column was added has the same rows.
///
/// # Errors
/// When the table is not tracked, or the file cannot be read or written.
pub fn adopt(engine: &mut Engine, table_no: u32) -> Result<u64, StoreError> {
    let table = engine.catalog.tables.get(&table_no).cloned().ok_or_else(|| untracked(table_no))?;
    let mut adoption = Adoption { columns: hashed_columns(engine, &table), seq: None, rows: 0, table };
    if adoption.table.is_surrogate() {
        let key = quote(&adoption.table.columns[adoption.table.key[0]].name);
        let clock = clock_table(table_no);
        adoption.hashed(engine, &key, &clock, "1")?;
    } else {
        adoption.natural(engine)?;
        if adoption.table.nullable_key {
            let rowid = adoption.table.rowid.unwrap_or("rowid");
            let has_null = key_names(&adoption.table).map(|key| format!("t.{key} IS NULL"));
            let has_null = has_null.collect::<Vec<_>>().join(" OR ");
            adoption.hashed(engine, rowid, &null_key_clock_table(table_no), &has_null)?;
        }
    }
    if let Some(seq) = adoption.seq {
        let meta = &engine.meta;
        engine
            .conn
            .prepare_cached(
                "INSERT INTO __pocketsync_log(seq, floor, jump, counter, clock) VALUES(?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((seq as i64, meta.foreign_clock, meta.jump, meta.counter, meta.clock))?;
    }
    Ok(adoption.rows)
}

fn key_names(table: &Table) -> impl Iterator<Item = String> + '_ {
    table.key.iter().map(|&at| quote(&table.columns[at].name))
}

fn untracked(table_no: u32) -> StoreError {
    StoreError::new(StoreErrorKind::Unsupported, format!("table number {table_no} is not tracked here"))
}

/// The names of the columns that make an id, and the expression that has a value where it counts;
/// in the order of the names.
fn hashed_columns(engine: &Engine, table: &Table) -> Vec<(String, String)> {
    let mut columns: Vec<(String, String)> = table
        .columns
        .iter()
        .map(|column| {
            let name = format!("t.{}", quote(&column.name));
            let counts = match constant_default(engine, column) {
                Some(default) => {
                    format!("CASE WHEN {name} COLLATE BINARY IS {default} THEN NULL ELSE {name} END")
                }
                None => name,
            };
            (column.name.clone(), counts)
        })
        .collect();
    columns.sort();
    columns
}

/// A column's default, where it is a literal: an ADD COLUMN gives it to all rows that are there.
fn constant_default<'c>(engine: &Engine, column: &'c Column) -> Option<&'c str> {
    let text = column.default.as_deref()?.trim();
    let literal = text.starts_with('\'')
        || text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        || text.starts_with("x'")
        || text.starts_with("X'")
        || ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word));
    // Whatever else may follow such a beginning must stand for itself.
    let stands = || engine.conn.prepare(&format!("SELECT {text}")).is_ok();
    (literal && !text.contains('(') && stands()).then_some(text)
}

/// Rows of one table getting their first clocks.
struct Adoption {
    table: Table,
    columns: Vec<(String, String)>,
    seq: Option<u64>,
    rows: u64,
}

impl Adoption {
    fn seq(&mut self, engine: &mut Engine) -> u64 {
        *self.seq.get_or_insert_with(|| engine.meta.next_seq())
    }

    /// Rows that have an integer to find them by, and an id from what they hold.
    fn hashed(&mut self, engine: &mut Engine, key: &str, clock: &str, only: &str) -> Result<(), StoreError> {
        let values: String = self.columns.iter().map(|(_, value)| format!(", {value}")).collect();
        let query = format!(
            "SELECT t.{key}{values} FROM {} t WHERE t.{key} >= ?1 AND ({only})
             AND NOT EXISTS(SELECT 1 FROM {clock} c WHERE c.k = t.{key}) ORDER BY t.{key} LIMIT ?2",
            quote(&self.table.name)
        );
        let insert = format!("INSERT INTO {clock}(k, id, s, r) VALUES(?1, ?2, ?3, ?4)");
        engine.changed.note(self.table.no);
        let mut from = Some(i64::MIN);
        while let Some(first) = from {
            let mut batch = Vec::new();
            let mut statement = engine.conn.prepare_cached(&query)?;
            let mut rows = statement.query((first, BATCH))?;
            while let Some(row) = rows.next()? {
                let key: i64 = row.get(0)?;
                batch.push((key, self.identity(key, row)?));
            }
            drop(rows);
            drop(statement);
            let Some((last, _)) = batch.last() else { break };
            from = last.checked_add(1);
            let seq = self.seq(engine);
            let bytes = RowClock::inserted(Version::GENESIS, seq, self.table.column_count())
                .encode(&mut engine.sites);
            self.rows += batch.len() as u64;
            for (key, id) in batch {
                let id = compact_id(&id, &mut engine.sites);
                engine.conn.prepare_cached(&insert)?.execute((key, id, seq as i64, &bytes))?;
            }
        }
        Ok(())
    }

    /// The first half of a hash over the table's name, the integer, and the values that count.
    fn identity(&self, key: i64, row: &Row<'_>) -> Result<RowId, StoreError> {
        let mut writer = Writer::new();
        writer.length_prefixed(self.table.name.as_bytes());
        writer.signed(key);
        for (at, (name, _)) in self.columns.iter().enumerate() {
            let value = value(row.get_ref(at + 1)?);
            if value != Value::Null {
                writer.length_prefixed(name.as_bytes());
                value.encode(&mut writer);
            }
        }
        let hash = Sha256::digest(writer.into_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Ok(RowId::Genesis(id))
    }

    /// Rows whose key is their identity.
    fn natural(&mut self, engine: &mut Engine) -> Result<(), StoreError> {
        let table = &self.table;
        let clock = clock_table(table.no);
        let keys = key_columns_list(table.key.len());
        let selected: Vec<String> = key_names(table).map(|name| format!("t.{name}")).collect();
        let whole: Vec<String> = selected.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        let same: Vec<String> = selected
            .iter()
            .enumerate()
            .map(|(n, name)| format!("c.{} = {name}", key_column(n + 1)))
            .collect();
        let missing = format!(
            "FROM {} t WHERE {} AND NOT EXISTS(SELECT 1 FROM {clock} c WHERE {})",
            quote(&table.name),
            whole.join(" AND "),
            same.join(" AND ")
        );
        if !engine.conn.prepare(&format!("SELECT 1 {missing} LIMIT 1"))?.exists([])? {
            return Ok(());
        }
        let seq = self.seq(engine);
        let bytes =
            RowClock::inserted(Version::GENESIS, seq, self.table.column_count()).encode(&mut engine.sites);
        engine.changed.note(self.table.no);
        let insert =
            format!("INSERT INTO {clock}({keys}, s, r) SELECT {}, ?1, ?2 {missing}", selected.join(", "));
        self.rows += engine.conn.execute(&insert, (seq as i64, bytes))? as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_literals_are_constant_defaults() {
        let engine = Engine::load(rusqlite::Connection::open_in_memory().unwrap()).unwrap();
        let column = |default: &str| Column {
            no: 0,
            name: "c".to_owned(),
            declared_type: String::new(),
            not_null: false,
            default: Some(default.to_owned()),
            reference: None,
        };
        for literal in ["1", "-1.5e3", "'it''s'", "x'00ff'", "TRUE", " 7 "] {
            assert!(constant_default(&engine, &column(literal)).is_some(), "{literal}");
        }
        for other in ["CURRENT_TIMESTAMP", "random()", "'a' || random()", "NULL", "name", "1 + x"] {
            assert!(constant_default(&engine, &column(other)).is_none(), "{other}");
        }
    }
}
