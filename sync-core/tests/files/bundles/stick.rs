//! Files, and a stick that bundles lie on.

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use pocketsync_core::bundle::{BundleError, ExportOptions, Exported, ImportOptions, Imported};
use pocketsync_core::clock::Now;
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables, diff};

const SCHEMA: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);
    CREATE TABLE tag(name TEXT PRIMARY KEY, n INTEGER, colour TEXT);";

pub(crate) fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

pub(crate) fn now() -> Now {
    let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    Now { wall_ms, ..Now::default() }
}

/// Small pieces, so that few rows are several.
pub(crate) fn for_anyone() -> ExportOptions {
    ExportOptions::new(scope(), now()).with_piece_bytes(100)
}

pub(crate) fn importing() -> ImportOptions {
    // Tests may run on a machine whose clock is behind that of where a kept bundle was made.
    ImportOptions::new(scope(), now()).with_max_drift_ms(50 * 365 * 86_400_000)
}

/// A file on a machine of its own, and the application that writes it.
pub(crate) struct Machine {
    dir: tempfile::TempDir,
    app: Option<Connection>,
    replica: Option<Replica>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = Connection::open(dir.path().join("file.db")).unwrap();
        app.execute_batch(SCHEMA).unwrap();
        drop(app);
        let mut machine = Machine { dir, app: None, replica: None };
        machine.open();
        machine.replica().track(&Tables::all()).unwrap();
        machine
    }

    fn open(&mut self) {
        self.replica = Some(Replica::open(self.path(), ReplicaOptions::default()).unwrap());
        self.app = Some(Connection::open(self.path()).unwrap());
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("file.db")
    }

    pub(crate) fn replica(&self) -> &Replica {
        self.replica.as_ref().unwrap()
    }

    pub(crate) fn site(&self) -> SiteId {
        self.replica().status().unwrap().site.unwrap()
    }

    pub(crate) fn sql(&self, sql: &str) {
        self.app.as_ref().unwrap().execute_batch(sql).unwrap();
    }

    pub(crate) fn note(&self, text: &str) {
        self.sql(&format!("INSERT INTO note(text) VALUES('{text}')"));
    }

    pub(crate) fn notes(&self) -> BTreeSet<String> {
        let app = self.app.as_ref().unwrap();
        let mut statement = app.prepare("SELECT text FROM note").unwrap();
        let notes = statement.query_map([], |row| row.get(0)).unwrap();
        notes.collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn count(&self) -> usize {
        let app = self.app.as_ref().unwrap();
        app.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap() as usize
    }

    /// The bytes of the file, with nobody at work on it. All that was written has a version: what has none when a
    /// file is copied gets another in each copy.
    pub(crate) fn backup(&mut self) -> Vec<u8> {
        self.export(&for_anyone());
        (self.app, self.replica) = (None, None);
        let bytes = std::fs::read(self.path()).unwrap();
        assert!(!self.path().with_extension("db-wal").exists(), "all of it is in the file");
        self.open();
        bytes
    }

    pub(crate) fn restore(&mut self, backup: &[u8]) {
        (self.app, self.replica) = (None, None);
        std::fs::write(self.path(), backup).unwrap();
        self.open();
    }

    /// As after another start of the machine.
    pub(crate) fn reopen(&mut self) {
        (self.app, self.replica) = (None, None);
        self.open();
    }

    pub(crate) fn export(&self, options: &ExportOptions) -> Vec<u8> {
        self.exported(options).0
    }

    pub(crate) fn exported(&self, options: &ExportOptions) -> (Vec<u8>, Exported) {
        let mut bundle = Vec::new();
        let exported = self.replica().export(&mut bundle, options).unwrap();
        assert_eq!(exported.bytes, bundle.len() as u64);
        (bundle, exported)
    }

    pub(crate) fn export_for(&self, other: &Machine) -> Vec<u8> {
        self.export(&for_anyone().for_peer(other.site()))
    }

    pub(crate) fn import(&self, bundle: &[u8]) -> Result<Imported, BundleError> {
        self.replica().import(Cursor::new(bundle), &importing())
    }

    /// The stick is pulled out when so much of it was read: each time that it is looked through counts.
    pub(crate) fn import_cut_off(&mut self, bundle: &[u8], after: usize) -> Result<Imported, BundleError> {
        let stick = PulledOut { stick: Cursor::new(bundle), left: after };
        let imported = self.replica().import(stick, &importing());
        self.reopen();
        imported
    }

    pub(crate) fn holds_the_same_as(&self, other: &Machine) -> bool {
        let report = diff(&self.path(), &other.path()).unwrap();
        report.is_same()
    }
}

struct PulledOut<'a> {
    stick: Cursor<&'a [u8]>,
    left: usize,
}

impl Read for PulledOut<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = buffer.len().min(self.left).min(50);
        if bytes == 0 && !buffer.is_empty() {
            return Err(std::io::Error::other("no stick"));
        }
        let read = self.stick.read(&mut buffer[..bytes])?;
        self.left -= read;
        Ok(read)
    }
}

impl Seek for PulledOut<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.stick.seek(to)
    }
}
