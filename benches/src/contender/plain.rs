//! SQLite alone.

use std::path::Path;

use super::{Contender, Parcel, Pragmas, SqliteFile, Write};
use crate::Result;
use crate::meter::Lap;
use crate::shape::Shape;

/// A SQLite file that nobody tracks: the measure of all others.
#[derive(Debug)]
pub struct Plain(SqliteFile);

impl Plain {
    /// A new file in a folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(dir: &Path, shape: Shape, pragmas: Pragmas) -> Result<Plain> {
        Ok(Plain(SqliteFile::create(dir, "plain.db", shape, pragmas)?))
    }
}

impl Contender for Plain {
    fn write(&mut self, write: &Write, one_transaction: bool) -> Result<()> {
        self.0.write(write, one_transaction)
    }

    fn collect(&mut self) -> Result<Option<Parcel>> {
        Ok(None)
    }

    fn deliver(&mut self) -> Result<Lap> {
        Err("plain SQLite delivers nothing".into())
    }

    fn digests(&mut self) -> Result<(String, Option<String>)> {
        Ok((self.0.digest()?, None))
    }

    fn disk_bytes(&mut self) -> Result<Option<u64>> {
        self.0.disk_bytes().map(Some)
    }
}
