//! What a comparison found.

<<<<<<< HEAD
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
=======
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// The differences between two replicas' files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DiffReport {
    /// The first file.
    pub a: Side,
    /// The second file.
    pub b: Side,
    /// The rows that differ, by table and then in the order of the first file; at most
    /// [`MAX_DIFFERENCES`](super::MAX_DIFFERENCES).
    pub differences: Vec<Difference>,
    /// How many more rows differ.
    pub more: u64,
}

/// One of the files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Side {
    /// Where it is.
    pub path: PathBuf,
    /// How many rows it holds, parked ones included.
    pub rows: u64,
    /// How many of them are parked.
    pub parked: u64,
    /// How many journal entries of local writes were not folded yet. They are compared as if they
    /// were.
    pub unfolded: u64,
}

/// A row that is not the same in both files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// Its table.
    pub table: String,
    /// Its global id.
    pub row: String,
    /// Where the first file has it: `shown`, or why it is parked. `None`: it has no such row.
    pub a: Option<String>,
    /// Where the second file has it.
    pub b: Option<String>,
    /// The columns whose values differ; all of them where only one file has the row.
    pub columns: Vec<ColumnDifference>,
}

/// A column whose value is not the same in both files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ColumnDifference {
    /// Its name.
    pub column: String,
    /// The value in the first file, as an SQL literal; a reference as the row's id. `None`: there
    /// is no such value.
    pub a: Option<String>,
    /// The value in the second file.
    pub b: Option<String>,
}

impl DiffReport {
    /// Whether nothing differs.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for DiffReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, side) in [("a", &self.a), ("b", &self.b)] {
            write!(f, "{name}: {}, {} rows", side.path.display(), side.rows)?;
            if side.parked > 0 {
                write!(f, ", {} parked", side.parked)?;
            }
            if side.unfolded > 0 {
                write!(f, ", {} local writes not folded yet", side.unfolded)?;
            }
            writeln!(f)?;
        }
        if self.is_same() {
            return writeln!(f, "no differences");
        }
        for difference in &self.differences {
            difference.fmt(f)?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more rows", self.more)?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.table, self.row)?;
        match (&self.a, &self.b) {
            (Some(a), None) => writeln!(f, "only in a ({a})")?,
            (None, Some(b)) => writeln!(f, "only in b ({b})")?,
            (Some(a), Some(b)) if a != b => writeln!(f, "{a} in a, {b} in b")?,
            _ => writeln!(f, "differs")?,
        }
        for column in &self.columns {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            writeln!(f, "  {}: a {}, b {}", column.column, value(&column.a), value(&column.b))?;
        }
        Ok(())
    }
>>>>>>> track
}
