//! What a write of a story means where and when it runs.

use pocketsync_core::value::Value;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};

use super::merging::{Merging, Put};
use super::snapshot::{Row, Snapshot, quote};
use crate::determinism::Chance;
use crate::shape::{Key, Merge, Role, RowTag, Shape, TableShape, stamped};
use crate::story::{Act, Write};

/// One NULL in so many references that may be NULL.
const NULLS: u64 = 8;

/// SQL with its values.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Statement {
    sql: String,
    values: Vec<Value>,
    /// The row that is replaced if it is there: dead and born again, even where it looks the same.
    pub(super) replaces: Option<(usize, Vec<Value>)>,
}

/// The statement of a write; `None` where there is none that would do anything.
pub(super) fn resolve(shape: &Shape, rows: &Snapshot, write: &Write) -> Option<Statement> {
    let table = shape.tables_at(rows.version).get(write.table).filter(|table| table.is_here())?;
    let mut writer = Writer { table, rows, write, chance: Chance::new(write.entropy, "write", 0) };
    let present = &rows.tables[write.table];
    let picked = || {
        let at = ((write.pick.clamp(0.0, 1.0) * present.len() as f64) as usize).min(present.len() - 1);
        present.values().nth(at)
    };
    match write.act {
        Act::Insert | Act::Replace | Act::Upsert => writer.insert(),
        _ if present.is_empty() => writer.insert(),
        Act::Update(count) => writer.update(picked()?, count),
        Act::Delete => Some(writer.on_row("DELETE FROM", String::new(), Vec::new(), picked()?)),
        Act::Rekey => writer.rekey(picked()?),
    }
}

impl Statement {
    /// Runs it; `false` where the schema refused it.
    pub(super) fn run(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let values = self.values.iter().map(Bound);
        match conn.prepare_cached(&self.sql)?.execute(params_from_iter(values)) {
            Ok(_) => Ok(true),
            Err(error) => match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => Ok(false),
                _ => Err(error),
            },
        }
    }
}

struct Writer<'a> {
    table: &'a TableShape,
    rows: &'a Snapshot,
    write: &'a Write,
    chance: Chance,
}

impl<'a> Writer<'a> {
    fn insert(&mut self) -> Option<Statement> {
        if let Key::Surrogate { .. } = self.table.key
            && !self.table.columns.iter().any(|column| column.role == Role::Tag)
        {
            return None;
        }
        let (mut names, mut values) = (Vec::new(), Vec::new());
        let mut key = Vec::new();
        for (at, column) in self.table.columns.iter().enumerate() {
            if matches!(column.role, Role::RowKey | Role::Absent) {
                continue;
            }
            let value = self.value(at)?;
            if self.table.key_columns().contains(&at) {
                key.push(value.clone());
            }
            names.push(quote(&column.name));
            values.push(value);
        }
        let replaces = self.write.act == Act::Replace;
        let verb = if replaces { "INSERT OR REPLACE" } else { "INSERT" };
        let places = vec!["?"; values.len()].join(", ");
        let table = quote(&self.table.name);
        let mut sql = match names.is_empty() {
            true => format!("{verb} INTO {table} DEFAULT VALUES"),
            false => format!("{verb} INTO {table}({}) VALUES({places})", names.join(", ")),
        };
        if self.write.act == Act::Upsert {
            sql.push_str(&self.or_update());
        }
        let natural = matches!(self.table.key, Key::Natural { .. });
        let replaces = (replaces && natural).then_some((self.write.table, key));
        Some(Statement { sql, values, replaces })
    }

    /// What an upsert does where the key is taken: it counts on, and overwrites the rest.
    fn or_update(&self) -> String {
        let Key::Natural { columns: key } = &self.table.key else { return String::new() };
        let columns = self.table.columns.iter().enumerate();
        let rest = columns.filter(|(at, column)| !key.contains(at) && column.role != Role::Absent);
        let set = rest.map(|(_, column)| {
            let name = quote(&column.name);
            match column.role {
                Role::Merges { merge: Merge::Counter, .. } => format!("{name} = {name} + excluded.{name}"),
                _ => format!("{name} = excluded.{name}"),
            }
        });
        let set: Vec<String> = set.collect();
        let does =
            if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
        let key: Vec<String> = key.iter().map(|&at| quote(&self.table.columns[at].name)).collect();
        format!(" ON CONFLICT({}) DO {does}", key.join(", "))
    }

    fn update(&mut self, row: &Row, count: u8) -> Option<Statement> {
        let key = self.table.key_columns();
        let mut columns: Vec<usize> = (0..self.table.columns.len())
            .filter(|at| !key.contains(at))
            .filter(|&at| !matches!(self.table.columns[at].role, Role::RowKey | Role::Tag | Role::Absent))
            .collect();
        let count = usize::from(count.max(1)).min(columns.len());
        for at in 0..count {
            let other = at + self.chance.below((columns.len() - at) as u64) as usize;
            columns.swap(at, other);
        }
        columns.truncate(count);
        self.set(row, &columns)
    }

    fn rekey(&mut self, row: &Row) -> Option<Statement> {
        match &self.table.key {
            Key::Natural { columns } => self.set(row, columns),
            Key::Surrogate { column } => {
                let taken = self.rows.tables[self.write.table].values();
                let largest = taken.filter_map(|row| match row.key.first() {
                    Some(Value::Integer(key)) => Some(*key),
                    _ => None,
                });
                let next = largest.max().unwrap_or(0).checked_add(1 + self.chance.below(5) as i64)?;
                let set = format!("{} = ?", quote(&self.table.columns[*column].name));
                Some(self.on_row("UPDATE", set, vec![Value::Integer(next)], row))
            }
        }
    }

    fn set(&mut self, row: &Row, columns: &[usize]) -> Option<Statement> {
        let (mut sets, mut values) = (Vec::new(), Vec::new());
        for &column in columns {
            let name = quote(&self.table.columns[column].name);
            let put = match self.merging(column) {
                Some(merging) => merging.change(row.view.cells.get(column)?, &mut self.chance),
                None => Put::Value(self.value(column)?),
            };
            let (set, value) = match put {
                Put::Value(value) => (format!("{name} = ?"), value),
                Put::Plus(value) => (format!("{name} = {name} + ?"), value),
            };
            sets.push(set);
            values.push(value);
        }
        (!sets.is_empty()).then(|| self.on_row("UPDATE", sets.join(", "), values, row))
    }

    fn on_row(&self, verb: &str, set: String, mut values: Vec<Value>, row: &Row) -> Statement {
        let key = self.table.key_columns().iter();
        let conditions: Vec<String> =
            key.map(|&column| format!("{} IS ?", quote(&self.table.columns[column].name))).collect();
        let set = if set.is_empty() { set } else { format!(" SET {set}") };
        let table = quote(&self.table.name);
        values.extend(row.key.iter().cloned());
        let sql = format!("{verb} {table}{set} WHERE {}", conditions.join(" AND "));
        Statement { sql, values, replaces: None }
    }

    /// A column that merges, as it is written to.
    fn merging(&self, column: usize) -> Option<Merging<'a>> {
        let table: &'a TableShape = self.table;
        let column = &table.columns[column];
        let Role::Merges { merge, kind, begin } = &column.role else { return None };
        let (nullable, write) = (column.nullable, self.write.id);
        Some(Merging { merge: *merge, kind: *kind, begin, nullable, write })
    }

    /// What to put into a column; `None` where nothing may stand there.
    fn value(&mut self, column: usize) -> Option<Value> {
        if let Some(merging) = self.merging(column) {
            return Some(merging.begin(&mut self.chance));
        }
        let column = &self.table.columns[column];
        Some(match &column.role {
            Role::RowKey | Role::Absent => Value::Null,
            Role::Tag => Value::text(&format!("r{}", self.write.id.0)),
            Role::KeyPart { pool } => Value::text(&format!("k{}", self.chance.below(u64::from(*pool)))),
            Role::Free(kind) | Role::Merges { kind, .. } => {
                stamped(*kind, self.write.id, self.write.value_bytes as usize)
            }
            Role::Pool(values) => {
                let at = self.chance.below(values.len() as u64) as usize;
                values.get(at)?.clone()
            }
            Role::Reference { table, .. } => {
                let parents = &self.rows.tables[*table];
                let wants_null = column.nullable && self.chance.below(NULLS) == 0;
                let at = self.chance.below(parents.len() as u64) as usize;
                match parents.values().nth(at) {
                    Some(parent) if !wants_null => parent.key.first()?.clone(),
                    _ if column.nullable => Value::Null,
                    _ => return None,
                }
            }
        })
    }
}

/// The tag of the row of `table` that has this key.
pub(super) fn tag_of_key(rows: &Snapshot, table: usize, key: &[Value]) -> Option<RowTag> {
    let (name, _) = rows.tables[table].iter().find(|(_, row)| row.key == key)?;
    Some(RowTag { table, name: name.clone() })
}

struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text),
            Value::Blob(blob) => ValueRef::Blob(blob),
            // The two forms of a reference exist in changesets only.
            Value::Null | Value::Ref(_) | Value::Dangling(_) => ValueRef::Null,
        }))
    }
}
