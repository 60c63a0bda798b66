//! Why a replica could not be opened.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::store::{StoreError, StoreErrorKind};

/// Why a replica could not be opened. Each message names the file and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file.
    #[error("{path}: no such file; create the database and its tables with your application first", path = .path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// There is something by that name, but no file: a directory, a device.
    #[error("{path}: not a file; give the path of a SQLite database", path = .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is something else, or encrypted, or damaged.
    #[error("{path}: not a SQLite database, or a damaged or encrypted one ({error}); an encrypted one needs its key in ReplicaOptions::on_connect", path = .path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        error: rusqlite::Error,
    },
    /// The system tables were made by a newer version.
    #[error("{path}: {message}", path = .path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Which format, and what to do.
        message: String,
    },
    /// The file, or its directory, cannot be written.
    #[error("{path}: the file cannot be written; a replica needs write permission for the file and for its directory", path = .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another engine has the file.
    #[error("{path}: already kept in sync by {holder}; a file has one engine at a time, so stop that one or leave the syncing to it", path = .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who: program and process id as it wrote them down.
        holder: String,
    },
    /// Another connection holds a lock for longer than
    /// [`busy_timeout`](super::ReplicaOptions::busy_timeout).
    #[error("{path}: locked by another connection that has a transaction open; try again when it is done", path = .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// No space is left.
    #[error("{path}: no space left on the disk; free some and open again", path = .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The application's own hook failed.
    #[error("{path}: on_connect failed: {error}", path = .path.display())]
    OnConnect {
        /// The file.
        path: PathBuf,
        /// What it failed with.
        error: rusqlite::Error,
    },
    /// The file system failed.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it failed with.
        error: std::io::Error,
    },
    /// Reading the database failed otherwise.
    #[error("{path}: {error}", path = .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What it failed with.
        error: StoreError,
    },
}

impl OpenError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            OpenError::NotFound { .. } => "not_found",
            OpenError::NotAFile { .. } => "not_a_file",
            OpenError::NotADatabase { .. } => "not_a_database",
            OpenError::NewerFormat { .. } => "newer_format",
            OpenError::ReadOnly { .. } => "read_only",
            OpenError::InUse { .. } => "in_use",
            OpenError::Busy { .. } => "busy",
            OpenError::Full { .. } => "full",
            OpenError::OnConnect { .. } => "on_connect",
            OpenError::Io { .. } => "io",
            OpenError::Store { error, .. } => error.code(),
        }
    }

    /// Whether trying again later may succeed without anyone doing anything.
    pub const fn is_retryable(&self) -> bool {
        match self {
            OpenError::InUse { .. } | OpenError::Busy { .. } | OpenError::Full { .. } => true,
            OpenError::Store { error, .. } => error.is_retryable(),
            _ => false,
        }
    }

    pub(crate) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let owned = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                OpenError::NotADatabase { path: owned, error }
            }
            // The file is there; it was looked for before.
            Some(ErrorCode::CannotOpen) => OpenError::ReadOnly { path: owned },
            _ => OpenError::store(path, error.into()),
        }
    }

    pub(crate) fn store(path: &Path, error: StoreError) -> Self {
        let path = path.to_owned();
        match error.kind {
            StoreErrorKind::Busy => OpenError::Busy { path },
            StoreErrorKind::ReadOnly => OpenError::ReadOnly { path },
            StoreErrorKind::Full => OpenError::Full { path },
            StoreErrorKind::NewerFormat => OpenError::NewerFormat { path, message: error.message },
            _ => OpenError::Store { path, error },
        }
    }

    pub(crate) fn io(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::NotFound => OpenError::NotFound { path },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path },
            ErrorKind::StorageFull => OpenError::Full { path },
            _ => OpenError::Io { path, error },
        }
    }
}
