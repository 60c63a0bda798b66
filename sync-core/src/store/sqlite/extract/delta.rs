//! The changeset being collected.

use std::collections::{BTreeMap, BTreeSet};

use super::super::engine::Engine;
use crate::change::{Changeset, RowChange, TableChanges};
use crate::id::{RowId, SiteId};
use crate::store::{Knowledge, StoreError, StoreErrorKind};
use crate::value::Value;

/// Changes by table number, columns by number.
#[derive(Debug, Default)]
pub(in super::super) struct Delta {
    tables: BTreeMap<u32, Vec<RowChange>>,
}

impl Delta {
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(in super::super) fn push(&mut self, table: u32, change: RowChange) {
        self.tables.entry(table).or_default().push(change);
    }

    /// The largest counter and clock of a site in it.
    pub(super) fn offered(&self, site: SiteId) -> Knowledge {
        let mut offered = Knowledge::default();
        for change in self.tables.values().flatten() {
            learn_id(&mut offered, site, &change.id);
            for cell in &change.cells {
                learn_value(&mut offered, site, &cell.value);
            }
            let versions = change.life.versions().chain(change.cells.iter().map(|cell| cell.version));
            for version in versions.filter(|version| version.site == site) {
                offered.hlc = offered.hlc.max(version.hlc);
            }
        }
        offered
    }

    /// With names instead of numbers: of each table the columns that are spoken of.
    pub(super) fn finish(self, engine: &Engine) -> Result<Changeset, StoreError> {
        let mut changeset = Changeset::default();
        for (no, mut rows) in self.tables {
            let used: BTreeSet<u32> =
                rows.iter().flat_map(|row| row.cells.iter().map(|cell| cell.column)).collect();
            let names = column_names(engine, no)?;
            let columns = used
                .iter()
                .map(|column| names.get(column).cloned().ok_or_else(|| unnamed(no, *column)))
                .collect::<Result<Vec<_>, _>>()?;
            let places: BTreeMap<u32, u32> = used.into_iter().zip(0..).collect();
            for cell in rows.iter_mut().flat_map(|row| &mut row.cells) {
                cell.column = places[&cell.column];
            }
            changeset.tables.push(TableChanges { name: engine.wire_table_name(no)?, columns, rows });
        }
        Ok(changeset)
    }
}

fn learn_id(offered: &mut Knowledge, site: SiteId, id: &RowId) {
    match id {
        RowId::Surrogate { site: of, counter } if *of == site => {
            offered.counter = offered.counter.max(*counter);
        }
        RowId::Natural(key) => key.iter().for_each(|value| learn_value(offered, site, value)),
        _ => {}
    }
}

fn learn_value(offered: &mut Knowledge, site: SiteId, value: &Value) {
    if let Value::Ref(id) = value {
        learn_id(offered, site, id);
    }
}

fn column_names(engine: &Engine, no: u32) -> Result<BTreeMap<u32, String>, StoreError> {
    if let Some(table) = engine.catalog.tables.get(&no) {
        return Ok(table.numbers.iter().map(|(name, no)| (*no, name.clone())).collect());
    }
    let mut statement =
        engine.conn.prepare_cached("SELECT no, name FROM __pocketsync_column WHERE tbl = ?1")?;
    let names = statement.query_map([no], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn unnamed(table: u32, column: u32) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!("column number {column} of table number {table} has no name"),
    )
}
