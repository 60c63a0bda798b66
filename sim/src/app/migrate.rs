//! A schema that changes under an application.

use rusqlite::Connection;

use crate::shape::{Shape, Version};

/// In which version of the schema a file is: applications note it in the file.
///
/// # Errors
/// When SQLite cannot read it.
pub(crate) fn version(conn: &Connection, shape: &Shape) -> rusqlite::Result<usize> {
    if shape.versions.is_empty() {
        return Ok(0);
    }
    let noted: i64 = conn.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(noted).unwrap_or(0).min(shape.versions.len() - 1))
}

/// Creates the schema in a new file, in that version.
///
/// # Errors
/// When SQLite does not take it.
pub(crate) fn create(conn: &Connection, shape: &Shape, version: usize) -> rusqlite::Result<()> {
    if shape.versions.is_empty() {
        return conn.execute_batch(&shape.sql);
    }
    for version in &shape.versions[..=version] {
        conn.execute_batch(&version.step.sql)?;
    }
    conn.execute_batch(&format!("PRAGMA user_version = {version}"))
}

/// Makes version `to` of the one before it, as applications do: in one transaction, without foreign keys.
///
/// # Errors
/// When SQLite does not take it.
pub(crate) fn migrate(conn: &Connection, version: &Version, to: usize) -> rusqlite::Result<()> {
    conn.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE")?;
    let done = conn.execute_batch(&script(version, to)).and_then(|()| conn.execute_batch("COMMIT"));
    if done.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    conn.execute_batch("PRAGMA foreign_keys = ON")?;
    done
}

/// The statements of a migration, with the note in which version the file is.
pub(crate) fn script(version: &Version, to: usize) -> String {
    format!("{};\nPRAGMA user_version = {to};", version.step.sql)
}
