//! Clocks to be written: collected, so that each statement is prepared once for many rows.

use rusqlite::{Statement, params_from_iter};

use super::super::engine::Engine;
use super::super::refs::{ClockSql, bound};
use super::journal::Key;
use crate::store::StoreError;

/// A clock to be stored.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) key: Key,
    /// The stored id; empty where the key is the identity.
    pub(super) id: Vec<u8>,
    pub(super) clock: Vec<u8>,
    /// The largest log number in it.
    pub(super) seq: u64,
}

/// What a fold changes in one clock table.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) removed: Vec<Key>,
    /// Of another row than the one that may have been there.
    pub(super) replaced: Vec<Put>,
    /// Of rows that have one, under the same key.
    pub(super) changed: Vec<Put>,
    /// Under keys that are free.
    pub(super) fresh: Vec<Put>,
}

impl Writes {
    /// Writes all of it: first what goes, so that keys and ids are free.
    pub(super) fn flush(self, engine: &Engine, sql: &ClockSql) -> Result<(), StoreError> {
        if !self.removed.is_empty() {
            let mut statement = engine.conn.prepare_cached(&sql.remove)?;
            for key in &self.removed {
                match key {
                    Key::Integer(key) => statement.execute([key])?,
                    Key::Values(values) => statement.execute(params_from_iter(bound(values)))?,
                };
            }
        }
        let mut replaced = self.replaced;
        set(engine, &sql.set, self.changed, &mut replaced)?;
        sql.put.put(&engine.conn, &replaced, bind_with_id)?;
        Ok(sql.insert.put(&engine.conn, &self.fresh, bind_with_id)?)
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.replaced.is_empty()
            && self.changed.is_empty()
            && self.fresh.is_empty()
    }
}

/// The ids stay, so nothing looks for them. What has no clock after all is added to `missing`.
fn set(engine: &Engine, sql: &str, puts: Vec<Put>, missing: &mut Vec<Put>) -> Result<(), StoreError> {
    if puts.is_empty() {
        return Ok(());
    }
    let mut statement = engine.conn.prepare_cached(sql)?;
    for put in puts {
        bind(&mut statement, 1, &put, false)?;
        if statement.raw_execute()? == 0 {
            missing.push(put);
        }
    }
    Ok(())
}

/// Answers with the number of the next parameter, as [`bind`] does.
fn bind_with_id(statement: &mut Statement<'_>, first: usize, put: &Put) -> rusqlite::Result<usize> {
    bind(statement, first, put, matches!(put.key, Key::Integer(_)))
}

fn bind(statement: &mut Statement<'_>, first: usize, put: &Put, with_id: bool) -> rusqlite::Result<usize> {
    let mut next = first;
    match &put.key {
        Key::Integer(key) => {
            statement.raw_bind_parameter(next, key)?;
            next += 1;
        }
        Key::Values(values) => {
            for part in bound(values) {
                statement.raw_bind_parameter(next, part)?;
                next += 1;
            }
        }
    }
    if with_id {
        statement.raw_bind_parameter(next, &put.id)?;
        next += 1;
    }
    statement.raw_bind_parameter(next, put.seq as i64)?;
    statement.raw_bind_parameter(next + 1, &put.clock)?;
    Ok(next + 2)
}
