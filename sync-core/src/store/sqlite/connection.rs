//! Opening the engine's own connection.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::replica::{OpenError, ReplicaOptions};

/// Opens the engine's connection to a file that is there.
///
/// The application's hook runs first (a key of an encrypted file, collations, functions), then
/// come the engine's own settings: no foreign keys, no triggers but temporary ones, since what
/// the engine writes is not a local write. The journal mode stays what it is.
///
/// # Errors
/// When there is no such file, when it is not a database, or cannot be written.
pub fn open(path: &Path, options: &ReplicaOptions) -> Result<Connection, OpenError> {
    let about = path.metadata().map_err(|error| OpenError::io(path, error))?;
    if !about.is_file() {
        return Err(OpenError::NotAFile { path: path.to_owned() });
    }
    let fail = |error| OpenError::sqlite(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(fail)?;
    conn.busy_timeout(options.busy_timeout).map_err(fail)?;
    if let Some(hook) = &options.on_connect {
        hook(&conn).map_err(|error| OpenError::OnConnect { path: path.to_owned(), error })?;
    }
    configure(&conn).map_err(fail)?;
    // The first read: only now does SQLite look into the file.
    conn.query_row("SELECT count(*) FROM main.sqlite_master", [], |_| Ok(())).map_err(fail)?;
    if conn.is_readonly("main").map_err(fail)? {
        return Err(OpenError::ReadOnly { path: path.to_owned() });
    }
    Ok(conn)
}

fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF; PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8192;",
    )?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    // A plan does not depend on parameters: where SQLite keeps statistics of values, it would prepare a statement
    // anew each time that a range in it is bound to others.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}
