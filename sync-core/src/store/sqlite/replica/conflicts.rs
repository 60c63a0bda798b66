//! The conflict log, through the handle of a replica.

use std::path::Path;

use rusqlite::params_from_iter;

use super::error::OpenError;
use super::handle::Replica;
use super::options::ReplicaOptions;
use crate::conflict::{ConflictFilter, LoggedConflict, Written};
use crate::id::RowId;
use crate::store::sqlite::catalog::Table;
use crate::store::sqlite::engine::Engine;
use crate::store::sqlite::refs::{self, Bound};
use crate::store::sqlite::system::quote;
use crate::store::sqlite::{conflict, connection};
use crate::store::{StoreError, StoreErrorKind};
use crate::value::Value;

/// The statement that brings a loser back, and its parameters.
struct Restore {
    sql: String,
    values: Vec<Value>,
}

impl Replica {
    /// The conflicts that this replica knows of, the newest first: where its own writes met others
    /// before the peer had them, and where a hub's answer replaced one. The hub's own log has those
    /// of everybody.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn conflicts(&self, filter: &ConflictFilter) -> Result<Vec<LoggedConflict>, StoreError> {
        self.with(|open| conflict::find(&open.engine, filter))
    }

    /// The same of a file, without becoming its engine.
    ///
    /// # Errors
    /// When the file is missing, not a database, or was written by a newer version.
    pub fn inspect_conflicts(
        path: impl AsRef<Path>,
        options: ReplicaOptions,
        filter: &ConflictFilter,
    ) -> Result<Vec<LoggedConflict>, OpenError> {
        let given = path.as_ref();
        let path = given.canonicalize().map_err(|error| OpenError::io(given, error))?;
        let conn = connection::open(&path, &options)?;
        let engine = Engine::load(conn).map_err(|error| OpenError::store(&path, error))?;
        conflict::find(&engine, filter).map_err(|error| OpenError::store(&path, error))
    }

    /// Brings back what lost a conflict, as a new local write: the value, the row that was deleted, or
    /// the deletion. Where both sides lost, the later of them.
    ///
    /// # Errors
    /// When there is no such conflict in this replica's log, when the row is not shown any more or what
    /// it refers to is not, when the table refuses the value, or the file cannot be written.
    pub fn restore_conflict(&self, id: u64) -> Result<(), StoreError> {
        let restore = self.with(|open| {
            open.engine.write(|engine| {
                crate::store::sqlite::fold::run(engine)?;
                restore(engine, id)
            })
        })?;
        self.as_application(|conn| {
            let values = restore.values.iter().map(Bound);
            let changed = conn.execute(&restore.sql, params_from_iter(values)).map_err(|error| {
                unsupported(format!("conflict {id} cannot be restored: {error}; nothing was changed"))
            })?;
            if changed == 0 {
                return Err(unsupported(format!("conflict {id}: the row is not there any more")));
            }
            Ok(())
        })
    }
}

fn unsupported(message: String) -> StoreError {
    StoreError::new(StoreErrorKind::Unsupported, message)
}

fn restore(engine: &Engine, id: u64) -> Result<Restore, StoreError> {
    let conflict = conflict::get(engine, id)?;
    let conflict = conflict.ok_or_else(|| unsupported(format!("there is no conflict {id} in this file")))?;
    // The log has the names that others know.
    let table = engine.catalog.number(&conflict.table).and_then(|no| engine.catalog.tables.get(&no));
    let table = table
        .ok_or_else(|| unsupported(format!("conflict {id}: table {} is not tracked here", conflict.table)))?;
    let at = refs::local_key(engine, table.no, &conflict.row)?.filter(|key| !refs::is_null_key(key));
    let shown = match &at {
        Some(key) => refs::clock(engine, table.no, key)?.is_some(),
        None => false,
    };
    let gone = || {
        unsupported(format!(
            "conflict {id}: the row is not in table {} any more; restore its deletion first, if that is in the log",
            table.name
        ))
    };
    let name = quote(&table.name);
    let by_key = |first: usize| {
        let parts = table.key.iter().enumerate();
        let parts = parts.map(|(n, &at)| format!("{} = ?{}", quote(&table.columns[at].name), first + n));
        parts.collect::<Vec<_>>().join(" AND ")
    };
    let loser = conflict.losers()[0];
    match &loser.what {
        Written::Deleted => {
            let key = at.filter(|_| shown).ok_or_else(gone)?;
            Ok(Restore { sql: format!("DELETE FROM {name} WHERE {}", by_key(1)), values: key.to_vec() })
        }
        Written::Value(value) => {
            let key = at.filter(|_| shown).ok_or_else(gone)?;
            let column = conflict.column.as_deref().unwrap_or_default();
            let (column, value) = local(engine, table, id, column, value)?;
            let sql = format!("UPDATE {name} SET {} = ?1 WHERE {}", quote(&column), by_key(2));
            Ok(Restore { sql, values: [vec![value], key.to_vec()].concat() })
        }
        Written::Row(row) => {
            let mut cells = Vec::new();
            for (column, value) in row {
                cells.push(local(engine, table, id, column, value)?);
            }
            if let Some(key) = at.filter(|_| shown) {
                let own_key = |name: &String| {
                    table.key.iter().any(|&at| table.columns[at].name.eq_ignore_ascii_case(name))
                };
                cells.retain(|(name, _)| !own_key(name));
                let sets =
                    cells.iter().enumerate().map(|(n, (name, _))| format!("{} = ?{}", quote(name), n + 1));
                let sets = sets.collect::<Vec<_>>().join(", ");
                let sql = format!("UPDATE {name} SET {sets} WHERE {}", by_key(cells.len() + 1));
                let values = cells.into_iter().map(|(_, value)| value).chain(key).collect();
                return Ok(Restore { sql, values });
            }
            match &conflict.row {
                RowId::Natural(parts) if !table.is_surrogate() => {
                    for (&at, part) in table.key.iter().zip(parts) {
                        let no = table.columns[at].no;
                        let known_as = table.numbers.iter().find(|(_, number)| **number == no);
                        let known_as = known_as.map_or(&table.columns[at].name, |(name, _)| name);
                        cells.push(local(engine, table, id, known_as, part)?);
                    }
                }
                // The integer is handed out anew: somebody else may have it by now.
                _ => cells.retain(|(name, _)| {
                    let key = table.integer_key().map(|at| &table.columns[at].name);
                    key.is_none_or(|key| !key.eq_ignore_ascii_case(name))
                }),
            }
            let names: Vec<String> = cells.iter().map(|(name, _)| quote(name)).collect();
            let marks: Vec<String> = (1..=cells.len()).map(|n| format!("?{n}")).collect();
            let sql = if cells.is_empty() {
                format!("INSERT INTO {name} DEFAULT VALUES")
            } else {
                format!("INSERT INTO {name}({}) VALUES({})", names.join(", "), marks.join(", "))
            };
            Ok(Restore { sql, values: cells.into_iter().map(|(_, value)| value).collect() })
        }
    }
}

/// A column as it is spelled here, and a value as its table holds it.
fn local(
    engine: &Engine,
    table: &Table,
    id: u64,
    column: &str,
    value: &Value,
) -> Result<(String, Value), StoreError> {
    let no = table.numbers.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, no)| *no);
    let column = table.columns.iter().find(|here| Some(here.no) == no).ok_or_else(|| {
        unsupported(format!("conflict {id}: table {} has no column {column} here", table.name))
    })?;
    let value = match (&column.reference, value) {
        (_, Value::Dangling(value)) => (**value).clone(),
        (Some(reference), Value::Ref(_)) => refs::to_local(engine, reference, value)?.ok_or_else(|| {
            unsupported(format!("conflict {id}: the row that {} refers to is not here", column.name))
        })?,
        (_, value) => value.clone(),
    };
    Ok((column.name.clone(), value))
}
