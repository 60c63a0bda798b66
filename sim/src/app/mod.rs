//! The application on a device: plain SQL on the user's tables, through a connection of its own.
//!
//! What a transaction wrote is told by looking: the rows that its connection sees after each
//! statement, compared with those before.

mod derived;
mod effects;
mod merging;
mod migrate;
mod snapshot;
mod statement;

pub(crate) use derived::complaints;
pub(crate) use merging::elements;
pub(crate) use migrate::{create, migrate, script, version};
pub use snapshot::Snapshot;

use std::path::Path;

use rusqlite::Connection;

use crate::history::Effect;
use crate::shape::Shape;
use crate::story::Transaction;
use effects::Effects;

/// Opens the application's connection to a file, which is created if it is not there.
///
/// # Errors
/// When SQLite cannot open it.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY")?;
    conn.set_prepared_statement_cache_capacity(128);
    Ok(conn)
}

/// Runs a transaction, and tells what it did to the rows that the application sees; `None` where it
/// wrote nothing at all. One that put values where they stood before has no effects, and was written
/// all the same. Statements that the schema refuses are left out, as a careless application would; a
/// transaction that is refused at the end did nothing.
///
/// # Errors
/// When SQLite fails otherwise.
pub fn transact(
    conn: &Connection,
    shape: &Shape,
    transaction: &Transaction,
) -> rusqlite::Result<Option<Vec<Effect>>> {
    let changes = conn.total_changes();
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = write(conn, shape, transaction);
    let commit = done.is_ok() && !transaction.rolled_back;
    if commit && conn.execute_batch("COMMIT").is_ok() {
        return done.map(|effects| (conn.total_changes() > changes).then_some(effects));
    }
    conn.execute_batch("ROLLBACK")?;
    done.map(|_| None)
}

fn write(conn: &Connection, shape: &Shape, transaction: &Transaction) -> rusqlite::Result<Vec<Effect>> {
    let mut rows = Snapshot::read(conn, shape)?;
    let mut effects = Effects::default();
    for write in &transaction.writes {
        let Some(statement) = statement::resolve(shape, &rows, write) else { continue };
        if !statement.run(conn)? {
            continue;
        }
        let now = Snapshot::read(conn, shape)?;
        effects.add(shape, &rows, &now, statement.replaces.as_ref());
        rows = now;
    }
    Ok(effects.into_vec())
}
