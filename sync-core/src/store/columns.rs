//! Whether a changeset's cells say which columns they are of.

use std::collections::BTreeSet;

use super::{StoreError, StoreErrorKind};
use crate::change::Changeset;

/// Refuses a changeset that names a column twice, or a cell's column not at all. Names are the
/// same where `fold` makes them so: a store with tables compares them as SQLite does.
pub(crate) fn check_columns(changeset: &Changeset, fold: impl Fn(&str) -> String) -> Result<(), StoreError> {
    for table in &changeset.tables {
        let known: BTreeSet<String> = table.columns.iter().map(|name| fold(name)).collect();
        let mut cells = table.rows.iter().flat_map(|row| &row.cells);
        if known.len() != table.columns.len() || cells.any(|cell| cell.column as usize >= table.columns.len())
        {
            return Err(StoreError::new(
                StoreErrorKind::Unsupported,
                format!("a changeset names a column of table {:?} twice or not at all", table.name),
            ));
        }
    }
    Ok(())
}
