//! Copies of a database file with what belongs to it, as they lie on the disk at some moment.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The ends of the names of the files that hold a database's content.
const CONTENT: [&str; 3] = ["", "-wal", "-journal"];
/// Those that go with them, and are of no use to another process.
const COMPANY: [&str; 3] = ["-shm", "-pocketsync-lock", "-lock"];

/// What a killed process leaves on the disk.
#[derive(Clone, Debug)]
pub(super) struct Image(Vec<(&'static str, Vec<u8>)>);

impl Image {
    /// Copies what is there.
    pub(super) fn take(database: &Path) -> io::Result<Image> {
        let mut files = Vec::new();
        for end in CONTENT {
            match std::fs::read(beside(database, end)) {
                Ok(content) => files.push((end, content)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Image(files))
    }

    /// Replaces whatever is there; nobody has the database open.
    pub(super) fn put_back(&self, database: &Path) -> io::Result<()> {
        remove(database)?;
        self.0.iter().try_for_each(|(end, content)| std::fs::write(beside(database, end), content))
    }
}

/// Removes a database and everything that goes with it.
pub(super) fn remove(database: &Path) -> io::Result<()> {
    for end in CONTENT.into_iter().chain(COMPANY) {
        match std::fs::remove_file(beside(database, end)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(end);
    name.into()
}
