//! A SQLite file with the table, and the application's connection to it.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use sha2::{Digest, Sha256};

use super::{Pragmas, Write};
use crate::Result;
use crate::meter;
use crate::shape::Shape;

/// A SQLite file with the table, and the application's connection to it.
#[derive(Debug)]
pub struct SqliteFile {
    /// The application's connection.
    pub conn: Connection,
    /// Where the file is.
    pub path: PathBuf,
    shape: Shape,
}

impl SqliteFile {
    /// A new file in a folder, with an empty table.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(dir: &Path, name: &str, shape: Shape, pragmas: Pragmas) -> Result<SqliteFile> {
        let path = dir.join(name);
        let conn = Connection::open(&path)?;
        conn.execute_batch(pragmas.sql())?;
        conn.execute_batch(&shape.schema())?;
        Ok(SqliteFile { conn, path, shape })
    }

    /// Writes with prepared statements, row by row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn write(&self, write: &Write, one_transaction: bool) -> Result<()> {
        if one_transaction {
            self.conn.execute_batch("BEGIN")?;
        }
        match write {
            Write::Insert(rows) => {
                let mut statement = self.conn.prepare_cached(&self.shape.insert_sql())?;
                for row in rows {
                    statement.execute(params_from_iter(row))?;
                }
            }
            Write::Update(width, rows) => {
                let mut statement = self.conn.prepare_cached(&self.shape.update_sql(*width))?;
                for row in rows {
                    statement.execute(params_from_iter(row))?;
                }
            }
            Write::Delete(keys) => {
                let mut statement = self.conn.prepare_cached("DELETE FROM t WHERE id = ?")?;
                for key in keys {
                    statement.execute([key])?;
                }
            }
        }
        if one_transaction {
            self.conn.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// What the table holds, in short.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn digest(&self) -> Result<String> {
        digest(&self.conn)
    }

    /// The bytes on the disk, after what stands in a WAL was written where it belongs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn disk_bytes(&self) -> Result<u64> {
        self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(meter::disk_bytes(&self.path))
    }
}

/// What the table `t` holds, in short: how many rows, and a hash of all values in the order of the
/// keys.
///
/// # Errors
/// What SQLite says.
pub fn digest(conn: &Connection) -> Result<String> {
    let mut statement = conn.prepare("SELECT * FROM t ORDER BY id")?;
    let width = statement.column_count();
    let mut rows = statement.query([])?;
    let (mut hash, mut count) = (Sha256::new(), 0);
    while let Some(row) = rows.next()? {
        count += 1;
        for at in 0..width {
            match row.get_ref(at)? {
                ValueRef::Null => hash.update([0]),
                ValueRef::Integer(integer) => {
                    hash.update([1]);
                    hash.update(integer.to_le_bytes());
                }
                ValueRef::Real(real) => {
                    hash.update([2]);
                    hash.update(real.to_bits().to_le_bytes());
                }
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    hash.update([3]);
                    hash.update((bytes.len() as u64).to_le_bytes());
                    hash.update(bytes);
                }
            }
        }
    }
    Ok(summary(count, hash))
}

/// How a digest is written.
pub(super) fn summary(rows: u64, hash: Sha256) -> String {
    let hex: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{rows} rows, {hex}")
}
