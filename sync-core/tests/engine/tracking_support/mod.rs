//! A tracked file, and what its journal says.

use std::path::PathBuf;

use pocketsync_core::rusqlite::{Connection, types::Value};
use pocketsync_core::store::sqlite::connection;
use pocketsync_core::store::sqlite::engine::Engine;
use pocketsync_core::store::sqlite::replica::ReplicaOptions;
use pocketsync_core::store::sqlite::tracking::{Tables, track};

/// A database file with an engine and an application's connection.
pub(crate) struct File {
    #[expect(dead_code, reason = "the directory goes with it")]
    dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) engine: Engine,
    pub(crate) app: Connection,
}

impl File {
    /// A file with this schema, not tracked yet.
    pub(crate) fn new(schema: &str) -> File {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.db");
        let app = Connection::open(&path).unwrap();
        app.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;").unwrap();
        app.execute_batch(schema).unwrap();
        let conn = connection::open(&path, &ReplicaOptions::default()).unwrap();
        File { dir, path, engine: Engine::load(conn).unwrap(), app }
    }

    /// A file with this schema, all of it tracked.
    pub(crate) fn tracked(schema: &str) -> File {
        let mut file = File::new(schema);
        track(&mut file.engine, &Tables::all()).unwrap();
        file
    }

    /// Puts an engine of another, empty file in its place.
    pub(crate) fn close_engine(&mut self) {
        self.engine = Engine::load(Connection::open_in_memory().unwrap()).unwrap();
    }

    /// Closes the engine and opens it again.
    pub(crate) fn reopen(&mut self) {
        let conn = connection::open(&self.path, &ReplicaOptions::default()).unwrap();
        self.engine = Engine::load(conn).unwrap();
    }

    /// What the application's statements wrote into the journal, emptied before.
    pub(crate) fn capture(&self, sql: &str) -> Vec<Entry> {
        self.app.execute_batch("DELETE FROM __pocketsync_journal").unwrap();
        self.app.execute_batch(sql).unwrap();
        self.journal()
    }

    /// What the journal holds.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        journal(&self.app)
    }
}

/// One line of the journal.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    pub(crate) table: i64,
    pub(crate) flag: i64,
    pub(crate) mask: Value,
    /// As SQL literals.
    pub(crate) key: String,
    pub(crate) old: Value,
}

pub(crate) fn journal(conn: &Connection) -> Vec<Entry> {
    let columns: Vec<String> = conn
        .prepare("PRAGMA table_info(__pocketsync_journal)")
        .unwrap()
        .query_map([], |row| row.get::<_, String>("name"))
        .unwrap()
        .map(Result::unwrap)
        .filter(|name| name.starts_with('k'))
        .map(|name| format!("quote({name})"))
        .collect();
    let sql = format!("SELECT t, f, m, {}, o FROM __pocketsync_journal ORDER BY n", columns.join("||','||"));
    conn.prepare(&sql)
        .unwrap()
        .query_map([], |row| {
            Ok(Entry {
                table: row.get(0)?,
                flag: row.get(1)?,
                mask: row.get(2)?,
                key: row.get(3)?,
                old: row.get(4)?,
            })
        })
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// `flag key mask`, the short form that tests compare.
pub(crate) fn short(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| {
            let flag = match entry.flag {
                1 => "insert",
                2 => "delete",
                4 => "update",
                8 => "touch",
                other => panic!("flag {other}"),
            };
            let mask = match &entry.mask {
                Value::Null => String::new(),
                Value::Integer(mask) => format!(" {mask:b}"),
                Value::Text(mask) => format!(" {mask}"),
                other => panic!("mask {other:?}"),
            };
            let old = match &entry.old {
                Value::Null => String::new(),
                Value::Integer(old) => format!(" old {old}"),
                other => panic!("old {other:?}"),
            };
            format!("{flag} {}{mask}{old}", entry.key)
        })
        .collect()
}
