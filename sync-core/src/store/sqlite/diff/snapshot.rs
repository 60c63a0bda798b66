//! A copy of a file as it is at one moment, to read at leisure.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::super::engine::Engine;
use super::super::replica::{OpenError, ReplicaOptions};
use super::super::{connection, fold};
use super::DiffError;
use crate::store::StoreError;

/// A folded copy of a tracked file. Deleted when dropped.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The file that was copied.
    pub(super) path: PathBuf,
    pub(super) engine: Engine,
    /// How many journal entries were folded in the copy.
    pub(super) unfolded: u64,
    _copy: Copy,
}

/// The temporary file.
#[derive(Debug)]
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            // What is not there need not be deleted, and nothing can be done about the rest.
            let _ = std::fs::remove_file(name);
        }
    }
}

impl Snapshot {
    pub(super) fn take(path: &Path, options: &ReplicaOptions) -> Result<Self, DiffError> {
        if !path.is_file() {
            return Err(OpenError::NotFound { path: path.to_owned() }.into());
        }
        let sqlite = |error| DiffError::from(OpenError::sqlite(path, error));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        source.busy_timeout(options.busy_timeout).map_err(sqlite)?;
        if let Some(hook) = &options.on_connect {
            let fail = |error| OpenError::OnConnect { path: path.to_owned(), error };
            hook(&source).map_err(fail)?;
        }
        let random: String =
            source.query_row("SELECT lower(hex(randomblob(12)))", [], |row| row.get(0)).map_err(sqlite)?;
        let copy = Copy(std::env::temp_dir().join(format!("pocketsync-diff-{random}.db")));
        // SQLite copies: a file that is opened and closed behind its back loses its locks. Rowids
        // stay what they are in a copy made INTO a file.
        let name = copy.0.to_str().ok_or_else(|| {
            let error = std::io::Error::other("the temporary directory has a name that is not UTF-8");
            OpenError::Io { path: copy.0.clone(), error }
        })?;
        source.execute("VACUUM INTO ?1", [name]).map_err(sqlite)?;
        drop(source);
        let store = |error: StoreError| DiffError::Store { path: path.to_owned(), error };
        let conn = connection::open(&copy.0, options)?;
        let mut engine = Engine::load(conn).map_err(store)?;
        if !engine.is_tracked() {
            return Err(DiffError::NotTracked { path: path.to_owned() });
        }
        let unfolded: i64 = engine
            .conn
            .query_row("SELECT count(*) FROM __pocketsync_journal", [], |row| row.get(0))
            .map_err(sqlite)?;
        engine.write(fold::run).map_err(store)?;
        Ok(Snapshot { path: path.to_owned(), engine, unfolded: unfolded as u64, _copy: copy })
    }
}
