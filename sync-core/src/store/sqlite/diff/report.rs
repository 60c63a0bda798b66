//! What a comparison found.

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
}
