//! Extensions that are loaded into SQLite, and turn a table into a replicated one.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{Contender, Parcel, Pragmas, SqliteFile, Write};
use crate::Result;
use crate::meter::{Lap, measure};
use crate::shape::{Shape, record_bytes};

/// How to talk to an extension.
struct Dialect {
    /// Makes it track the table `t`.
    setup: String,
    /// Everything after a position, the position itself among its columns; `None` where only the
    /// writing is known.
    changes: Option<Changes>,
    /// To be run before the connection closes.
    end: Option<&'static str>,
}

struct Changes {
    select: &'static str,
    insert: &'static str,
    position: &'static str,
}

fn dialect(name: &str, setup: Option<&Path>) -> Result<Dialect> {
    if let Some(setup) = setup {
        return Ok(Dialect { setup: std::fs::read_to_string(setup)?, changes: None, end: None });
    }
    match name {
        "crsqlite" | "cr-sqlite" => Ok(Dialect {
            setup: "SELECT crsql_as_crr('t')".to_owned(),
            changes: Some(Changes {
                select: "SELECT \"table\", pk, cid, val, col_version, db_version, site_id, cl, seq
                         FROM crsql_changes WHERE db_version > ?1",
                insert: "INSERT INTO crsql_changes(\"table\", pk, cid, val, col_version, db_version, site_id, cl, seq)
                         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                position: "SELECT crsql_db_version()",
            }),
            end: Some("SELECT crsql_finalize()"),
        }),
        "cloudsync" | "sqlite-sync" => Ok(Dialect {
            setup: "SELECT cloudsync_init('t')".to_owned(),
            changes: Some(Changes {
                select: "SELECT tbl, pk, col_name, col_value, col_version, db_version, site_id, cl, seq
                         FROM cloudsync_changes WHERE db_version > ?1",
                insert: "INSERT INTO cloudsync_changes(tbl, pk, col_name, col_value, col_version, db_version, site_id, cl, seq)
                         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                position: "SELECT cloudsync_db_version()",
            }),
            end: Some("SELECT cloudsync_terminate()"),
        }),
        other => Err(format!(
            "how to talk to {other} is not known: name it crsqlite or cloudsync, or add a file with the statements that make it track the table t (NAME=PATH,SETUP.sql)"
        )
        .into()),
    }
}

/// Two files whose table an extension tracks.
pub struct Extension {
    here: SqliteFile,
    there: SqliteFile,
    dialect: Dialect,
    position: i64,
    changes: Vec<Vec<Value>>,
}

#[allow(
    unsafe_code,
    reason = "an extension is machine code, which may do anything; its path was given to us"
)]
fn load(conn: &Connection, path: &Path) -> Result<()> {
    // SAFETY: whoever runs the comparison named this library to be loaded into it, in a process of
    // its own; loading is allowed for this one call only.
    unsafe {
        conn.load_extension_enable()?;
        let loaded = conn.load_extension(path, None::<&str>);
        conn.load_extension_disable()?;
        Ok(loaded?)
    }
}

fn statements(conn: &Connection, sql: &str) -> Result<()> {
    // Functions answer with rows, which nobody wants.
    for one in sql.split(';').map(str::trim).filter(|one| !one.is_empty()) {
        let mut statement = conn.prepare(one)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
    }
    Ok(())
}

impl Extension {
    /// Two new files in a folder.
    ///
    /// # Errors
    /// When they cannot be made, or the extension cannot be loaded.
    pub fn new(
        dir: &Path,
        shape: Shape,
        pragmas: Pragmas,
        name: &str,
        path: &Path,
        setup: Option<&Path>,
    ) -> Result<Extension> {
        let dialect = dialect(name, setup)?;
        let open = |file: &str| -> Result<SqliteFile> {
            let file = SqliteFile::create(dir, file, shape, pragmas)?;
            load(&file.conn, path)?;
            statements(&file.conn, &dialect.setup)?;
            Ok(file)
        };
        let (here, there) = (open("here.db")?, open("there.db")?);
        Ok(Extension { here, there, dialect, position: 0, changes: Vec::new() })
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        for file in [&self.here, &self.there] {
            if let Some(end) = self.dialect.end {
                // Nothing depends on it but a tidy end.
                let _ended = statements(&file.conn, end);
            }
        }
    }
}

impl Contender for Extension {
    fn write(&mut self, write: &Write, one_transaction: bool) -> Result<()> {
        self.here.write(write, one_transaction)
    }

    fn collect(&mut self) -> Result<Option<Parcel>> {
        let Some(changes) = &self.dialect.changes else { return Ok(None) };
        let conn = &self.here.conn;
        let (extract, found) = measure(|| -> Result<_> {
            let mut statement = conn.prepare_cached(changes.select)?;
            let width = statement.column_count();
            let mut rows = statement.query([self.position])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((0..width).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>()?);
            }
            Ok(found)
        })?;
        self.position = conn.query_row(changes.position, [], |row| row.get(0))?;
        self.changes = found;
        // Nobody says how they travel: as SQLite's own records, one a change.
        let mut bytes = Vec::new();
        let mut raw_bytes = 0;
        for value in self.changes.iter().flatten() {
            raw_bytes += record_bytes(value);
            match value {
                Value::Null => {}
                Value::Integer(integer) => {
                    bytes.extend(integer.to_be_bytes().iter().skip_while(|&&byte| byte == 0))
                }
                Value::Real(real) => bytes.extend(real.to_be_bytes()),
                Value::Text(text) => bytes.extend(text.as_bytes()),
                Value::Blob(blob) => bytes.extend(blob),
            }
        }
        let compressed_bytes = lz4_flex::block::compress(&bytes).len();
        Ok(Some(Parcel { extract, raw_bytes, compressed_bytes, ..Parcel::default() }))
    }

    fn deliver(&mut self) -> Result<Lap> {
        let Some(changes) = &self.dialect.changes else { return Err("no way to deliver is known".into()) };
        let conn = &self.there.conn;
        let (lap, ()) = measure(|| -> Result<()> {
            conn.execute_batch("BEGIN")?;
            let mut statement = conn.prepare_cached(changes.insert)?;
            for change in &self.changes {
                statement.execute(params_from_iter(change))?;
            }
            conn.execute_batch("COMMIT")?;
            Ok(())
        })?;
        Ok(lap)
    }

    fn digests(&mut self) -> Result<(String, Option<String>)> {
        let there = self.dialect.changes.is_some().then(|| self.there.digest()).transpose()?;
        Ok((self.here.digest()?, there))
    }

    fn disk_bytes(&mut self) -> Result<Option<u64>> {
        self.here.disk_bytes().map(Some)
    }
}
