//! What a comparison found.

use crate::id::RowId;
use crate::value::Value;

/// What two files show, compared.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct DiffReport {
    /// The tables that either of them tracks, by name.
    pub tables: Vec<TableDiff>,
}

impl DiffReport {
    /// Whether both show the same rows.
    pub fn is_same(&self) -> bool {
        self.tables.iter().all(TableDiff::is_same)
    }

    /// How many rows the first file shows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows_a).sum()
    }
}

/// One table of two files, compared.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct TableDiff {
    /// Its name.
    pub name: String,
    /// Rows that the first file shows.
    pub rows_a: u64,
    /// Rows that the second file shows.
    pub rows_b: u64,
    /// How many of these the second does not show.
    pub only_in_a: u64,
    /// How many of these the first does not show.
    pub only_in_b: u64,
    /// Rows that both show, with different values.
    pub changed: u64,
    /// Columns, or the whole table (`*`), that only the first file has.
    pub columns_only_in_a: Vec<String>,
    /// Columns, or the whole table (`*`), that only the second file has.
    pub columns_only_in_b: Vec<String>,
    /// The first rows that differ; at most [`MAX_ROWS_LISTED`].
    pub rows: Vec<RowDiff>,
}

/// How many differing rows of a table are listed.
pub const MAX_ROWS_LISTED: usize = 100;

impl TableDiff {
    /// Whether both files show the same of it.
    pub fn is_same(&self) -> bool {
        self.differences() == 0 && self.columns_only_in_a.is_empty() && self.columns_only_in_b.is_empty()
    }

    /// How many rows differ.
    pub fn differences(&self) -> u64 {
        self.only_in_a + self.only_in_b + self.changed
    }

    pub(super) fn list(&mut self, row: RowDiff) {
        match (&row.key_a, &row.key_b) {
            (Some(_), Some(_)) => self.changed += 1,
            (Some(_), None) => self.only_in_a += 1,
            (None, _) => self.only_in_b += 1,
        }
        if self.rows.len() < MAX_ROWS_LISTED {
            self.rows.push(row);
        }
    }
}

/// A row that differs.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct RowDiff {
    /// Its global identity.
    pub id: RowId,
    /// Its primary key in the first file; `None` where that does not show it.
    pub key_a: Option<Vec<Value>>,
    /// Its primary key in the second file; `None` where that does not show it.
    pub key_b: Option<Vec<Value>>,
    /// The columns that differ, where both show it. References are compared, and told, as the
    /// rows that they mean.
    pub cells: Vec<CellDiff>,
}

/// A cell that differs.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct CellDiff {
    /// Its column.
    pub column: String,
    /// Its value in the first file.
    pub a: Value,
    /// Its value in the second file.
    pub b: Value,
}
