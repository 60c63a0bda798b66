//! Finds out by trying what a table takes: CHECKs, types and triggers are SQLite's to judge.

use std::collections::BTreeSet;

use pocketsync_core::value::Value;
use rusqlite::types::{ToSqlOutput, Value as SqlValue};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::catalog::{CatalogKey, Table};

/// How many different rows are looked for, so that what holds in one of them only is told apart
/// from what always holds.
const BASES: usize = 3;

/// A table that rows are tried on. Nothing stays in it.
pub(super) struct Probe<'a> {
    connection: &'a Connection,
    insert: String,
    rowid: Option<usize>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(connection: &'a Connection, table: &Table) -> Self {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(&table.name), columns.join(", "));
        let rowid = match table.key {
            CatalogKey::Rowid(column) => Some(column),
            _ => None,
        };
        Probe { connection, insert, rowid }
    }

    /// Whether the table takes this row, and what SQLite says if not.
    pub(super) fn takes(&self, row: &[Value]) -> Result<(), String> {
        let tried = || -> rusqlite::Result<()> {
            let values = row.iter().enumerate().map(|(column, value)| match value {
                _ if Some(column) == self.rowid => Cell(&Value::Null),
                value => Cell(value),
            });
            self.connection.prepare_cached(&self.insert)?.execute(params_from_iter(values)).map(drop)
        };
        let savepoint = "SAVEPOINT probe";
        let undo = "ROLLBACK TO probe; RELEASE probe";
        self.connection.execute_batch(savepoint).map_err(|error| error.to_string())?;
        let outcome = tried().map_err(|error| error.to_string());
        // RAISE(ROLLBACK) of a trigger leaves nothing to roll back to.
        let undone = self.connection.execute_batch(undo);
        if undone.is_err() && !self.connection.is_autocommit() {
            return Err("the attempt could not be undone".to_owned());
        }
        outcome
    }

    /// Some rows that the table takes, of `choices` for each column, the first ones preferred; none
    /// if none was found. On failure, what SQLite said last.
    pub(super) fn bases(&self, choices: &[Vec<Value>]) -> Result<Vec<Vec<Value>>, String> {
        let (mut found, mut said) = (Vec::new(), String::new());
        for start in 0..BASES * 8 {
            // Different places to start from reach different rows.
            let at =
                |choice: &Vec<Value>, column: usize| choice[(start * (column + 1)) % choice.len()].clone();
            let begin = choices.iter().enumerate().map(|(column, choice)| at(choice, column)).collect();
            match self.climb(begin, choices) {
                Ok(row) if !found.contains(&row) => found.push(row),
                Ok(_) => {}
                Err(message) => said = message,
            }
            if found.len() == BASES {
                break;
            }
        }
        if found.is_empty() { Err(said) } else { Ok(found) }
    }

    /// SQLite names the first rule that a row breaks. Changing one column at a time until it names a
    /// rule that was not named before gets past one rule after the other.
    fn climb(&self, mut row: Vec<Value>, choices: &[Vec<Value>]) -> Result<Vec<Value>, String> {
        let mut broken = BTreeSet::new();
        loop {
            let Err(rule) = self.takes(&row) else { return Ok(row) };
            broken.insert(rule.clone());
            if !self.step(&mut row, choices, &broken) {
                return Err(rule);
            }
        }
    }

    fn step(&self, row: &mut [Value], choices: &[Vec<Value>], broken: &BTreeSet<String>) -> bool {
        for (column, choice) in choices.iter().enumerate() {
            for value in choice {
                let before = std::mem::replace(&mut row[column], value.clone());
                match self.takes(row) {
                    Err(rule) if broken.contains(&rule) => row[column] = before,
                    _ => return true,
                }
            }
        }
        false
    }
}

/// A value, as it is bound to a statement.
struct Cell<'a>(&'a Value);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Value::Integer(integer) => SqlValue::Integer(*integer),
            Value::Real(real) => SqlValue::Real(*real),
            Value::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
            Value::Blob(blob) => SqlValue::Blob(blob.clone()),
            // The pools hold no references.
            Value::Null | Value::Ref(_) | Value::Dangling(_) => SqlValue::Null,
        };
        Ok(ToSqlOutput::Owned(value))
    }
}
