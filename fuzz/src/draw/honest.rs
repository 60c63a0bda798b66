//! Changesets as replicas of a schema would make them: rows with the identity that their table
//! gives, references to rows of the right table, values that may or may not fit.

use std::collections::BTreeMap;

use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::id::RowId;
use pocketsync_core::merge::Life;
use pocketsync_core::store::sqlite::catalog::{Catalog, Column, FkAction, Table};
use pocketsync_core::value::Value;

use super::values::{likely_version, nth_site, plain};
use super::{Input, Result};

/// What is drawn from.
pub(crate) struct Peers<'a> {
    pub(crate) catalog: &'a Catalog,
    /// Whether some references point at nothing where they were written.
    pub(crate) dangling: bool,
}

impl Peers<'_> {
    /// Changes of a few rows of some tables, each row once.
    pub(crate) fn changeset(&self, u: &mut Input<'_>) -> Result<Changeset> {
        let tables: Vec<&Table> = self.catalog.tables.values().collect();
        let mut rows: BTreeMap<u32, BTreeMap<RowId, RowChange>> = BTreeMap::new();
        for _ in 0..u.int_in_range(1..=4u8)? {
            let table = *u.choose(&tables)?;
            let row = self.row(u, table)?;
            rows.entry(table.no).or_default().insert(row.id.clone(), row);
        }
        let of_table = |(no, rows): (u32, BTreeMap<RowId, RowChange>)| {
            let table = &self.catalog.tables[&no];
            let columns = table.columns.iter().map(|column| column.name.clone()).collect();
            TableChanges { name: table.name.clone(), columns, rows: rows.into_values().collect() }
        };
        Ok(Changeset { tables: rows.into_iter().map(of_table).collect() })
    }

    fn row(&self, u: &mut Input<'_>, table: &Table) -> Result<RowChange> {
        let has_null = table.nullable_key && u.ratio(1, 4u8)?;
        let id = if table.is_surrogate() || has_null {
            surrogate(u, table.no)?
        } else {
            let part = |at: &usize| self.key_part(u, table, *at);
            RowId::Natural(table.key.iter().map(part).collect::<Result<_>>()?)
        };
        let version = likely_version(u)?;
        let mut life = Life::default();
        let kind = u.int_in_range(0..=9u8)?;
        if kind < 7 {
            life.born = Some(version);
        }
        if kind == 7 || kind == 6 {
            life.died = Some(likely_version(u)?);
        }
        let comes_back = self.comes_back(table);
        if kind == 8 && comes_back {
            life.undone = Some(likely_version(u)?);
        }
        let mut cells = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            let is_key = table.key.contains(&at);
            if is_key && !table.is_surrogate() && !has_null {
                continue;
            }
            // Who inserts a row writes its references, for a default may refer to anything; and all of
            // it where an earlier life may come back, which would fill what it left out.
            let is_needed = life.born.is_some() && (comes_back || column.reference.is_some());
            if !is_needed && kind != 0 && u.ratio(1, 4u8)? {
                continue;
            }
            let value = if has_null && table.key.first() == Some(&at) {
                Value::Null
            } else {
                self.value(u, table, at)?
            };
            let value = match table.integer_key() == Some(at) && table.is_surrogate() {
                true => Value::Integer(u.int_in_range(1..=4)?),
                false => value,
            };
            let version = if !is_needed && u.ratio(1, 4u8)? { likely_version(u)? } else { version };
            cells.push(CellChange { column: at as u32, version, value });
        }
        Ok(RowChange { id, life, cells })
    }

    /// Whether a deletion in this table may be taken back, since others refer to its rows.
    fn comes_back(&self, table: &Table) -> bool {
        let mut foreign = self.catalog.tables.values().flat_map(|table| &table.foreign_keys);
        foreign.any(|key| key.parent == table.no && key.on_delete != FkAction::Cascade)
    }

    fn key_part(&self, u: &mut Input<'_>, table: &Table, at: usize) -> Result<Value> {
        let column = &table.columns[at];
        let value = match (self.value(u, table, at)?, &column.reference) {
            (Value::Null, Some(reference)) => Value::Ref(Box::new(surrogate(u, reference.table)?)),
            (value, _) => value,
        };
        // No replica has another value under this type.
        let fits = match &value {
            Value::Text(_) => !column.declared_type.contains("INT") && !column.declared_type.contains("REAL"),
            Value::Integer(_) => !column.declared_type.contains("TEXT"),
            Value::Ref(_) | Value::Dangling(_) => true,
            _ => false,
        };
        if fits { Ok(value) } else { fitting(u, column) }
    }

    fn value(&self, u: &mut Input<'_>, table: &Table, at: usize) -> Result<Value> {
        let column = &table.columns[at];
        if let Some(reference) = &column.reference {
            // In a unique key it is compared by the integer that it shows, which another row may have
            // elsewhere.
            let is_claimed = table.unique_keys.iter().any(|key| key.depends_on().any(|part| part == at));
            return Ok(match u.int_in_range(0..=7u8)? {
                0 => Value::Null,
                1 if self.dangling && !is_claimed => {
                    Value::Dangling(Box::new(Value::Integer(u.int_in_range(1..=4)?)))
                }
                _ => Value::Ref(Box::new(surrogate(u, reference.table)?)),
            });
        }
        match u.int_in_range(0..=9u8)? {
            0 => Ok(Value::Null),
            1 => plain(u),
            _ => fitting(u, column),
        }
    }
}

/// One of a few rows of a table with an integer key; no other table has the same.
fn surrogate(u: &mut Input<'_>, table: u32) -> Result<RowId> {
    let (site, n) = (nth_site(u.int_in_range(1..=3)?), u.int_in_range(1..=3)?);
    Ok(RowId::Surrogate { site, counter: u64::from(table) * 10 + n })
}

fn fitting(u: &mut Input<'_>, column: &Column) -> Result<Value> {
    let kind = &column.declared_type;
    Ok(if kind.contains("INT") || kind.contains("REAL") {
        Value::Integer(u.int_in_range(1..=4)?)
    } else {
        Value::text(u.choose(&["a", "A", "b", "", "a "])?)
    })
}
