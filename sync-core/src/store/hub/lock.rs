//! Keeping two hubs off one file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::store::{StoreError, StoreErrorKind};

/// A lock on a file beside the hub file, held while the hub is open. The operating system lets go
/// of it when the process ends, however it ends; the file stays.
#[derive(Debug)]
pub(super) struct HubLock {
    _file: File,
}

impl HubLock {
    /// Takes the lock of the hub file at `path`.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let beside = beside(path);
        let cannot = |error: std::io::Error| {
            let kind = match error.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    StoreErrorKind::ReadOnly
                }
                std::io::ErrorKind::StorageFull => StoreErrorKind::Full,
                _ => StoreErrorKind::Io,
            };
            let message = format!(
                "hub file {}: cannot open its lock file {}: {error}; the hub must be able to write the directory",
                path.display(),
                beside.display()
            );
            StoreError::new(kind, message)
        };
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&beside);
        let mut file = options.map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy: without it the message is shorter.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another process" } else { holder };
                return Err(StoreError::new(
                    StoreErrorKind::Busy,
                    format!(
                        "hub file {} is open in another hub ({holder}); stop that one first, or give this one a file of its own",
                        path.display()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(cannot)?;
        writeln!(file, "process {}", std::process::id()).map_err(cannot)?;
        Ok(HubLock { _file: file })
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    PathBuf::from(name)
}
