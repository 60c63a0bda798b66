//! Whether two files show the same rows.
//!
//! Rows are matched by their global identity, and references compared as the rows that they mean,
//! since replicas may use different integers for one row.

mod report;
mod rows;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use report::{CellDiff, DiffReport, MAX_ROWS_LISTED, RowDiff, TableDiff};
use rows::{Rows, Shown};

use super::connection;
use super::engine::Engine;
use super::fold;
use super::renames;
use super::replica::{OpenError, ReplicaOptions};
use crate::conflict::RULES_TABLE;
use crate::store::{StoreError, StoreErrorKind};
use crate::value::Value;

/// How long to wait for a lock on either file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why two files could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// One of them could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// One of them is not tracked, so nothing says which rows are the same.
    #[error("{path}: not tracked, so nothing says which rows are the same; track it first", path = .path.display())]
    NotTracked {
        /// The file.
        path: PathBuf,
    },
    /// One of them could not be read.
    #[error("{path}: {error}", path = .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        error: StoreError,
    },
}

impl DiffError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            DiffError::Open(error) => error.code(),
            DiffError::NotTracked { .. } => "not_tracked",
            DiffError::Store { error, .. } => error.code(),
        }
    }

    /// Whether trying again later may succeed without anyone doing anything.
    pub const fn is_retryable(&self) -> bool {
        match self {
            DiffError::Open(error) => error.is_retryable(),
            DiffError::NotTracked { .. } => false,
            DiffError::Store { error, .. } => error.is_retryable(),
        }
    }
}

/// Compares what two tracked files show. Both may be in use, also by an engine; each is read in
/// one transaction. Writes that were not folded yet count: they are folded for the comparison, and
/// that is rolled back. Holds one table of both files in memory at a time.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables, diff};
///
/// let dir = tempfile::tempdir()?;
/// let [a, b] = ["a.db", "b.db"].map(|name| dir.path().join(name));
/// for path in [&a, &b] {
///     let app = pocketsync_core::rusqlite::Connection::open(path)?;
///     app.execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT); INSERT INTO note VALUES(1, 'milk')")?;
///     Replica::open(path, ReplicaOptions::default())?.track(&Tables::all())?;
/// }
/// assert!(diff(&a, &b)?.is_same());
///
/// pocketsync_core::rusqlite::Connection::open(&b)?.execute("UPDATE note SET title = 'eggs'", ())?;
/// let report = diff(&a, &b)?;
/// assert_eq!(report.tables[0].rows[0].cells[0].column, "title");
/// # Ok(()) }
/// ```
///
/// # Errors
/// When one of them cannot be opened or read, or is not tracked.
pub fn diff(a: &Path, b: &Path) -> Result<DiffReport, DiffError> {
    let (mut engine_a, mut engine_b) = (open(a)?, open(b)?);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| DiffError::Store { path, error }
    };
    let mut report = Ok(DiffReport::default());
    let compared = in_snapshot(&mut engine_a, |engine_a| {
        let inner = in_snapshot(&mut engine_b, |engine_b| {
            report = compare((a, engine_a), (b, engine_b));
            Ok(())
        });
        if let Err(error) = inner {
            report = Err(failed(b)(error));
        }
        Ok(())
    });
    compared.map_err(failed(a))?;
    report
}

fn open(path: &Path) -> Result<Engine, DiffError> {
    let options = ReplicaOptions { busy_timeout: BUSY_TIMEOUT, ..ReplicaOptions::default() };
    let conn = connection::open(path, &options)?;
    let engine = Engine::load(conn).map_err(|error| DiffError::Store { path: path.to_owned(), error })?;
    if engine.is_tracked() { Ok(engine) } else { Err(DiffError::NotTracked { path: path.to_owned() }) }
}

/// Runs `look` on a state of the file in which everything is folded, and leaves the file as it was.
fn in_snapshot(
    engine: &mut Engine,
    look: impl FnOnce(&Engine) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    engine.conn.execute_batch("BEGIN")?;
    let is_folded =
        engine.conn.query_row("SELECT count(*) FROM __pocketsync_journal", (), |row| row.get::<_, i64>(0));
    if is_folded? == 0 {
        let looked = look(engine);
        engine.conn.execute_batch("ROLLBACK")?;
        return looked;
    }
    engine.conn.execute_batch("ROLLBACK")?;
    let mut looked = Ok(());
    let rolled_back = engine.write(|engine| {
        fold::run(engine)?;
        looked = look(engine);
        // An error is what makes a write roll back.
        Err::<(), _>(StoreError::new(StoreErrorKind::Suspended, ROLLED_BACK))
    });
    match rolled_back {
        Err(error) if error.message != ROLLED_BACK => Err(error),
        _ => looked,
    }
}

const ROLLED_BACK: &str = "compared, and rolled back";

fn compare(
    (a, engine_a): (&Path, &Engine),
    (b, engine_b): (&Path, &Engine),
) -> Result<DiffReport, DiffError> {
    let names = |engine: &Engine| {
        let tables = engine.catalog.tables.values().map(|table| table.name.clone());
        let of_user = |name: &String| name != renames::TABLE && name != RULES_TABLE;
        tables.filter(of_user).collect()
    };
    let names: BTreeSet<String> =
        [names(engine_a), names(engine_b)].into_iter().flat_map(|names: Vec<_>| names).collect();
    let read = |path: &Path, engine: &Engine, name: &str| -> Result<Option<Rows>, DiffError> {
        let rows = engine.catalog.by_name(name).map(|table| Rows::read(engine, table)).transpose();
        rows.map_err(|error| DiffError::Store { path: path.to_owned(), error })
    };
    let mut report = DiffReport::default();
    for name in names {
        let (rows_a, rows_b) = (read(a, engine_a, &name)?, read(b, engine_b, &name)?);
        report.tables.push(compare_table(name, rows_a, rows_b));
    }
    Ok(report)
}

fn compare_table(name: String, a: Option<Rows>, b: Option<Rows>) -> TableDiff {
    let mut diff = TableDiff { name, ..TableDiff::default() };
    match (&a, &b) {
        (Some(a), Some(b)) => {
            let only = |these: &Rows, those: &Rows| {
                these.columns.keys().filter(|column| !those.columns.contains_key(*column)).cloned().collect()
            };
            (diff.columns_only_in_a, diff.columns_only_in_b) = (only(a, b), only(b, a));
        }
        (Some(_), None) => diff.columns_only_in_a.push("*".to_owned()),
        (None, _) => diff.columns_only_in_b.push("*".to_owned()),
    }
    let (a, mut b) = (a.unwrap_or_default(), b.unwrap_or_default());
    (diff.rows_a, diff.rows_b) = (a.rows.len() as u64, b.rows.len() as u64);
    let both: Vec<(&String, usize, usize)> = a
        .columns
        .iter()
        .filter_map(|(column, &in_a)| b.columns.get(column).map(|&in_b| (column, in_a, in_b)))
        .collect();
    for (id, shown_a) in a.rows {
        let shown_b = b.rows.remove(&id);
        let cells = shown_b.as_ref().map_or_else(Vec::new, |shown_b| cells(&both, &shown_a, shown_b));
        if shown_b.is_none() || !cells.is_empty() {
            diff.list(RowDiff { id, key_a: Some(shown_a.key), key_b: shown_b.map(|shown| shown.key), cells });
        }
    }
    for (id, shown) in b.rows {
        diff.list(RowDiff { id, key_a: None, key_b: Some(shown.key), cells: Vec::new() });
    }
    diff
}

fn cells(columns: &[(&String, usize, usize)], a: &Shown, b: &Shown) -> Vec<CellDiff> {
    let differs = |&&(_, in_a, in_b): &&(&String, usize, usize)| a.values[in_a] != b.values[in_b];
    let cell = |&(column, in_a, in_b): &(&String, usize, usize)| CellDiff {
        column: column.clone(),
        a: Value::clone(&a.values[in_a]),
        b: Value::clone(&b.values[in_b]),
    };
    columns.iter().filter(differs).map(cell).collect()
}
