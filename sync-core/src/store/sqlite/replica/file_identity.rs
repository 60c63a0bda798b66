//! Whether the file under a path is still the one that was opened.

use std::path::Path;

use crate::store::{StoreError, StoreErrorKind};

/// What tells a file from another one under the same path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileIdentity(u64, u64);

impl FileIdentity {
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from_metadata(&metadata))
    }

    #[cfg(unix)]
    fn from_metadata(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        FileIdentity(metadata.dev(), metadata.ino())
    }

    /// An open database cannot be removed or replaced there.
    #[cfg(not(unix))]
    fn from_metadata(_: &std::fs::Metadata) -> Self {
        FileIdentity(0, 0)
    }

    /// Fails where the path leads to no file or to another one.
    pub(super) fn check(self, path: &Path) -> Result<(), StoreError> {
        let happened = match Self::of(path) {
            Ok(identity) if identity == self => return Ok(()),
            Ok(_) => "replaced by another one",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "deleted or moved away",
            Err(error) => {
                let message = format!("{}: cannot be looked at: {error}", path.display());
                return Err(StoreError::new(StoreErrorKind::Io, message));
            }
        };
        Err(StoreError::new(
            StoreErrorKind::Gone,
            format!(
                "{}: the file was {happened} while it was open; close this replica and open it again",
                path.display()
            ),
        ))
    }
}
