//! A device: a database file, the application's connection to it, and an engine.

mod mirror;

use std::path::PathBuf;

use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::rusqlite::{Connection, Params};
use pocketsync_core::store::sqlite::engine::Engine;
use pocketsync_core::store::sqlite::replica::ReplicaOptions;
use pocketsync_core::store::sqlite::row_clock::RowClock;
use pocketsync_core::store::sqlite::system::AsideReason;
use pocketsync_core::store::sqlite::tracking::{Tables, track};
use pocketsync_core::store::sqlite::{connection, extract, fold, genesis, refs};
use pocketsync_core::store::{Extracted, Record};
use pocketsync_core::value::Value;
use tempfile::TempDir;

#[allow(unused_imports)] // As above.
pub(crate) use mirror::Mirror;

/// Whoever asks, where it does not matter who.
pub(crate) const SOMEBODY: SiteId = SiteId::from_bytes([0xee; 16]);

pub(crate) struct Device {
    pub(crate) app: Connection,
    pub(crate) engine: Engine,
    pub(crate) path: PathBuf,
    #[expect(dead_code, reason = "the directory goes with it")]
    dir: TempDir,
}

impl Device {
    /// A tracked file with this schema (and rows).
    pub(crate) fn new(schema: &str) -> Self {
        Self::tracking(schema, &Tables::all())
    }

    pub(crate) fn tracking(schema: &str, tables: &Tables) -> Self {
        let mut device = Self::untracked(schema);
        track(&mut device.engine, tables).unwrap();
        device
    }

    pub(crate) fn untracked(schema: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.db");
        let app = Connection::open(&path).unwrap();
        app.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;")
            .unwrap();
        app.execute_batch(schema).unwrap();
        let engine = open_engine(&path);
        Device { app, engine, path, dir }
    }

    /// A byte copy of the file as it is now, opened as another device.
    pub(crate) fn copy(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.db");
        self.app.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
        let app = Connection::open(&path).unwrap();
        app.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;")
            .unwrap();
        let engine = open_engine(&path);
        Device { app, engine, path, dir }
    }

    /// Closes the engine and opens it again.
    pub(crate) fn reopen(&mut self) {
        self.engine = open_engine(&self.path);
    }

    /// Runs statements of the application in one transaction.
    pub(crate) fn sql(&self, statements: &str) {
        self.app.execute_batch(&format!("BEGIN; {statements}; COMMIT")).unwrap();
    }

    pub(crate) fn exec(&self, statement: &str, params: impl Params) {
        self.app.execute(statement, params).unwrap();
    }

    pub(crate) fn number(&self, query: &str) -> i64 {
        self.app.query_row(query, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn fold(&mut self) -> Option<u64> {
        self.engine.write(fold::run).unwrap()
    }

    /// Gives the rows that were there before tracking their clocks.
    pub(crate) fn adopt(&mut self, table: &str) -> u64 {
        let no = self.table(table);
        self.engine.write(|engine| genesis::adopt(engine, no)).unwrap()
    }

    pub(crate) fn extract(&mut self, peer: SiteId, after: &Cursor, max_bytes: usize) -> Extracted {
        self.engine.write(|engine| extract::run(engine, peer, after, max_bytes)).unwrap()
    }

    /// All that changed after a position, in one piece.
    pub(crate) fn all_after(&mut self, after: &Cursor) -> Extracted {
        let extracted = self.extract(SOMEBODY, after, usize::MAX);
        assert!(extracted.last);
        extracted
    }

    pub(crate) fn table(&self, name: &str) -> u32 {
        self.engine.catalog.by_name(name).unwrap().no
    }

    pub(crate) fn column(&self, table: &str, column: &str) -> u32 {
        self.engine.catalog.by_name(table).unwrap().numbers[column]
    }

    /// Moves the stamps of what is in the journal.
    pub(crate) fn shift_journal(&self, ms: i64) {
        self.exec("UPDATE __pocketsync_journal SET at = at + ?1 / 86400000.0", [ms]);
    }

    pub(crate) fn id(&self, table: &str, key: impl Key) -> Option<RowId> {
        refs::row_id(&self.engine, self.table(table), &key.key()).unwrap()
    }

    /// The id and clock of a row.
    pub(crate) fn clock(&self, table: &str, key: impl Key) -> Option<(RowId, RowClock)> {
        refs::clock(&self.engine, self.table(table), &key.key()).unwrap()
    }

    pub(crate) fn aside(&self, table: &str, id: &RowId) -> Option<(AsideReason, Record)> {
        refs::aside(&self.engine, self.table(table), id).unwrap()
    }
}

pub(crate) fn open_engine(path: &std::path::Path) -> Engine {
    Engine::load(connection::open(path, &ReplicaOptions::default()).unwrap()).unwrap()
}

/// What a test writes for a local key.
pub(crate) trait Key {
    fn key(self) -> Vec<Value>;
}

impl Key for i64 {
    fn key(self) -> Vec<Value> {
        vec![Value::Integer(self)]
    }
}

impl Key for &str {
    fn key(self) -> Vec<Value> {
        vec![Value::text(self)]
    }
}

impl Key for (i64, i64) {
    fn key(self) -> Vec<Value> {
        vec![Value::Integer(self.0), Value::Integer(self.1)]
    }
}

impl Key for &[Value] {
    fn key(self) -> Vec<Value> {
        self.to_vec()
    }
}
