//! Putting rows with a store's column numbers together into a changeset with names.

use std::collections::{BTreeMap, BTreeSet};

use super::Names;
use crate::change::{Changeset, RowChange, TableChanges};
use crate::store::{StoreError, StoreErrorKind};

/// Rows by table number, their cells under column numbers of the store.
#[derive(Default)]
pub(crate) struct ChangesetBuilder {
    tables: BTreeMap<u32, (BTreeSet<u32>, Vec<RowChange>)>,
}

impl ChangesetBuilder {
    /// Adds a row, at most once each.
    pub(crate) fn push(&mut self, table: u32, row: RowChange) {
        let (columns, rows) = self.tables.entry(table).or_default();
        columns.extend(row.cells.iter().map(|cell| cell.column));
        rows.push(row);
    }

    /// The changeset: tables and columns in the order of their numbers, only columns that occur.
    ///
    /// # Errors
    /// When a number has no name, so the store is damaged.
    pub(crate) fn finish(self, names: &Names) -> Result<Changeset, StoreError> {
        let unnamed = || {
            StoreError::new(
                StoreErrorKind::Corrupt,
                "a stored row names a table or column that is not known; restore the store from a backup",
            )
        };
        let mut changeset = Changeset::default();
        for (table, (used, mut rows)) in self.tables {
            let positions: BTreeMap<u32, u32> = used.iter().copied().zip(0..).collect();
            let columns = used.iter().map(|&column| names.column_name(table, column).map(str::to_owned));
            let columns = columns.collect::<Option<Vec<_>>>().ok_or_else(unnamed)?;
            for cell in rows.iter_mut().flat_map(|row| &mut row.cells) {
                cell.column = positions[&cell.column];
            }
            let name = names.table_name(table).ok_or_else(unnamed)?.to_owned();
            changeset.tables.push(TableChanges { name, columns, rows });
        }
        Ok(changeset)
    }
}
