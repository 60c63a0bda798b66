//! What SQLite's failures mean for a hub, and the way out.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::codec::DecodeError;
use crate::store::{StoreError, StoreErrorKind};

/// A failure of SQLite on this file.
pub(super) fn failed(path: &Path, error: &rusqlite::Error) -> StoreError {
    let file = path.display();
    let (kind, advice) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            StoreErrorKind::Busy,
            "another program holds a lock on it; close programs that have the file open",
        ),
        Some(ErrorCode::DiskFull) => {
            (StoreErrorKind::Full, "there is no space left; free some, or raise the limit on the file's size")
        }
        Some(
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied,
        ) => (StoreErrorKind::ReadOnly, "the hub must be able to write the file and its directory"),
        Some(ErrorCode::NotADatabase) => {
            (StoreErrorKind::Corrupt, "it is no SQLite database; give the hub a path of its own")
        }
        Some(ErrorCode::DatabaseCorrupt) => (
            StoreErrorKind::Corrupt,
            "it is damaged; restore it from a backup, and the devices bring back what that lacks",
        ),
        Some(ErrorCode::CannotOpen) => {
            (StoreErrorKind::Io, "check that its directory exists and may be written")
        }
        _ => (StoreErrorKind::Io, "look at the disk, then start the hub again"),
    };
    StoreError::new(kind, format!("hub file {file}: {error}: {advice}"))
}

/// Stored bytes that cannot be read.
pub(super) fn damaged(path: &Path, what: &str, error: &DecodeError) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!(
            "hub file {}: a stored {what} is damaged ({error}); restore the file from a backup, and the devices bring back what that lacks",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_codes_and_messages_name_the_file() {
        for (code, kind) in [
            (rusqlite::ffi::SQLITE_BUSY, StoreErrorKind::Busy),
            (rusqlite::ffi::SQLITE_FULL, StoreErrorKind::Full),
            (rusqlite::ffi::SQLITE_READONLY, StoreErrorKind::ReadOnly),
            (rusqlite::ffi::SQLITE_CORRUPT, StoreErrorKind::Corrupt),
            (rusqlite::ffi::SQLITE_NOTADB, StoreErrorKind::Corrupt),
            (rusqlite::ffi::SQLITE_IOERR, StoreErrorKind::Io),
        ] {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let error = failed(Path::new("/data/hub.db"), &error);
            assert_eq!(error.kind, kind);
            assert!(error.message.contains("/data/hub.db"), "{error}");
        }
    }
}
