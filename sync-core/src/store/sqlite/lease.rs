//! One engine a file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The right to be the engine of a file: a lock on a file beside it, which the operating system
/// releases however the process ends. The file goes when the lease does.
#[derive(Debug)]
pub(super) struct Lease {
    path: PathBuf,
    file: File,
}

/// Why there is no lease.
#[derive(Debug)]
pub(super) enum LeaseError {
    /// Another engine has it: what that one wrote of itself.
    Held(String),
    /// The lock file cannot be made.
    Io(io::Error),
}

impl Lease {
    /// Takes the lease of a database file, whose path is canonical.
    pub(super) fn acquire(database: &Path, program: &str) -> Result<Lease, LeaseError> {
        let path = lock_path(database);
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(LeaseError::Io)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LeaseError::Held(holder(&mut file))),
                Err(TryLockError::Error(error)) => return Err(LeaseError::Io(error)),
            }
            // The one before may have removed the file between our opening and our locking it.
            if !is_same_file(&file, &path) {
                continue;
            }
            let written = file
                .set_len(0)
                .and_then(|()| writeln!(file, "{program}, process {}", std::process::id()))
                .and_then(|()| file.flush());
            return match written {
                Ok(()) => Ok(Lease { path, file }),
                Err(error) => Err(LeaseError::Io(error)),
            };
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // First the name, then the lock: nobody locks a file that is about to lose its name. A
        // file that cannot be removed does no harm.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// `<file>-pocketsync-lock`.
fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-pocketsync-lock");
    path.into()
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(200).read_to_string(&mut text));
    let text = text.trim();
    if read.is_err() || text.is_empty() { "another engine".to_owned() } else { text.to_owned() }
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Where a file that is open cannot be removed.
#[cfg(not(unix))]
fn is_same_file(_: &File, _: &Path) -> bool {
    true
}
