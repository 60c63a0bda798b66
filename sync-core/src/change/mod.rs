//! Changesets: what one replica tells another about rows.

mod columns;
mod decode;
mod encode;
mod layout;
mod sites;
mod uuid_text;
mod value;

pub use decode::{MAX_COLUMNS, MAX_NAME_BYTES};

use crate::clock::{Hlc, Version};
use crate::id::RowId;
use crate::merge::Life;
use crate::value::Value;

/// Changes to rows of any number of tables. Each row appears at most once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changeset {
    /// By table; each table at most once.
    pub tables: Vec<TableChanges>,
}

/// The changed rows of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableChanges {
    /// The table's name.
    pub name: String,
    /// The names of the columns that the cells refer to by position.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<RowChange>,
}

/// What changed in one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowChange {
    /// Which row.
    pub id: RowId,
    /// Births and deaths, as far as they are news; all `None` where they are not.
    pub life: Life,
    /// The changed cells, in the order of their columns, each column at most once.
    pub cells: Vec<CellChange>,
}

/// One cell's new value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CellChange {
    /// Position in [`TableChanges::columns`].
    pub column: u32,
    /// When and by whom it was written.
    pub version: Version,
    /// The value; [`Value::Ref`] where a foreign key points at a row with a global identity.
    pub value: Value,
}

impl Changeset {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| table.rows.is_empty())
    }

    /// How many rows it speaks of.
    pub fn row_count(&self) -> usize {
        self.tables.iter().map(|table| table.rows.len()).sum()
    }

    /// The largest clock in it: a receiver refuses what is too far in the future.
    pub fn max_hlc(&self) -> Hlc {
        self.versions().map(|version| version.hlc).max().unwrap_or_default()
    }

    /// Every row in it, in order of appearance.
    pub fn rows(&self) -> impl Iterator<Item = &RowChange> {
        self.tables.iter().flat_map(|table| &table.rows)
    }

    /// Every version in it, in order of appearance.
    pub fn versions(&self) -> impl Iterator<Item = Version> + '_ {
        self.rows().flat_map(|row| row.life.versions().chain(row.cells.iter().map(|cell| cell.version)))
    }
}

impl RowChange {
    /// About how many bytes this row takes, in memory and on the wire.
    pub fn weight(&self) -> usize {
        let key = match &self.id {
            RowId::Natural(key) => key.iter().map(Value::weight).sum(),
            RowId::Surrogate { .. } | RowId::Genesis(_) => 0,
        };
        20 + key + self.cells.iter().map(|cell| 4 + cell.value.weight()).sum::<usize>()
    }
}
