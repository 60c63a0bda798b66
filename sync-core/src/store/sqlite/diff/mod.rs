//! Comparing two replicas' files, row by row.
//!
//! Rows are matched by their global ids, references are compared by the row that they mean, and
//! the integers that each replica hands out by itself are left out, so that two replicas which
//! have exchanged everything do not differ. Parked rows count.

mod compare;
mod report;
mod snapshot;

pub use report::{ColumnDifference, DiffReport, Difference, Side};

use std::path::{Path, PathBuf};

use super::replica::{OpenError, ReplicaOptions};
use crate::store::StoreError;

/// How many differences a report lists; the others are counted.
pub const MAX_DIFFERENCES: usize = 1000;

/// Why two files could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// A file could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file is not tracked: its rows have no global ids.
    #[error("{path}: the file is not tracked, so its rows cannot be matched with those of another", path = .path.display())]
    NotTracked {
        /// The file.
        path: PathBuf,
    },
    /// Reading a file failed.
    #[error("{path}: {error}", path = .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What it failed with.
        error: StoreError,
    },
}

/// Compares two tracked files.
///
/// The files are only read, while others use them: what is compared is a snapshot of each, in a
/// temporary file, in which the local writes that were not folded yet are folded.
///
/// ```no_run
/// let report = pocketsync_core::store::sqlite::diff::diff("a.db".as_ref(), "b.db".as_ref())?;
/// println!("{report}");
/// assert!(report.is_same());
/// # Ok::<(), pocketsync_core::store::sqlite::diff::DiffError>(())
/// ```
///
/// # Errors
/// When a file cannot be opened or read, or is not tracked.
pub fn diff(a: &Path, b: &Path) -> Result<DiffReport, DiffError> {
    diff_with(a, b, &ReplicaOptions::default())
}

/// The same, with the collations, functions and keys that
/// [`on_connect`](ReplicaOptions::on_connect) brings.
///
/// # Errors
/// As [`diff`].
pub fn diff_with(a: &Path, b: &Path, options: &ReplicaOptions) -> Result<DiffReport, DiffError> {
    let a = snapshot::Snapshot::take(a, options)?;
    let b = snapshot::Snapshot::take(b, options)?;
    compare::compare(&a, &b)
}
