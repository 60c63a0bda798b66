//! Opening a replica and asking things of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::mpsc;
use futures::stream::BoxStream;
use rusqlite::InterruptHandle;

use super::applied::{AppliedStream, Readers};
use super::error::OpenError;
use super::file_identity::FileIdentity;
use super::options::ReplicaOptions;
use super::running::Running;
use super::status::{self, ReplicaStatus};
use crate::store::sqlite::connection;
use crate::store::sqlite::engine::Engine;
use crate::store::sqlite::lease::{Lease, LeaseError};
use crate::store::sqlite::migrate::{self, Migration, MigrationReport};
use crate::store::sqlite::schema_change;
use crate::store::sqlite::schema_notes;
use crate::store::sqlite::suspect;
use crate::store::sqlite::tracking::{self, Tables, TrackError, TrackedTable};
use crate::store::{ShownRows, StoreError, StoreErrorKind};

/// How often, and in which distance, running work is interrupted: 100 ms in all.
const INTERRUPTS: u32 = 200;
const BETWEEN_INTERRUPTS: Duration = Duration::from_micros(500);

/// A replica in a SQLite file: the engine's connection to a database that applications write
/// with ordinary SQL.
///
/// Clones are handles to the same engine. A file has one engine at a time, over all processes;
/// any number of applications may read and write it meanwhile, in other processes or through the
/// same SQLite library in this one. Methods block; an asynchronous program runs them where
/// blocking is allowed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("notes.db");
/// let app = pocketsync_core::rusqlite::Connection::open(&path)?;
/// app.execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)")?;
///
/// let replica = Replica::open(&path, ReplicaOptions::default())?;
/// for table in replica.track(&Tables::all())? {
///     println!("{}: {} rows", table.name, table.rows);
/// }
/// app.execute("INSERT INTO note(title) VALUES('milk')", [])?;
/// assert_eq!(replica.status()?.journal, 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Replica {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    options: ReplicaOptions,
    file: FileIdentity,
    open: Mutex<Open>,
    interrupt: InterruptHandle,
    suspended: AtomicBool,
    running: Running,
    applied: Readers,
    notices: Mutex<Vec<mpsc::Sender<()>>>,
}

/// What one piece of work at a time has.
pub(super) struct Open {
    pub(super) engine: Engine,
    /// `None` after `untrack`: nothing is left to keep others from.
    lease: Option<Lease>,
    data_version: Option<i64>,
}

impl Replica {
    /// Opens a file that is there. Takes the engine lease; changes nothing in the file.
    ///
    /// # Errors
    /// When the file is missing, not a database, not writable, has an engine already, or was
    /// written by a newer version.
    pub fn open(path: impl AsRef<Path>, options: ReplicaOptions) -> Result<Replica, OpenError> {
        let given = path.as_ref();
        let path = given.canonicalize().map_err(|error| OpenError::io(given, error))?;
        let conn = connection::open(&path, &options)?;
        let lease = lease(&path, &options)?;
        let file = FileIdentity::of(&path).map_err(|error| OpenError::io(&path, error))?;
        let interrupt = conn.get_interrupt_handle();
        let mut engine = Engine::load(conn).map_err(|error| OpenError::store(&path, error))?;
        engine.conflict_limits = options.conflicts;
        let applied = Readers::new(options.applied_buffer);
        Ok(Replica {
            shared: Arc::new(Shared {
                path,
                options,
                file,
                open: Mutex::new(Open { engine, lease: Some(lease), data_version: None }),
                interrupt,
                suspended: AtomicBool::new(false),
                running: Running::default(),
                applied,
                notices: Mutex::default(),
            }),
        })
    }

    /// The state of a file, without becoming its engine: beside one that is open, in this process
    /// or another.
    ///
    /// # Errors
    /// When the file is missing, not a database, or was written by a newer version.
    pub fn inspect(path: impl AsRef<Path>, options: ReplicaOptions) -> Result<ReplicaStatus, OpenError> {
        let given = path.as_ref();
        let path = given.canonicalize().map_err(|error| OpenError::io(given, error))?;
        let engine = connection::open(&path, &options)
            .and_then(|conn| Engine::load(conn).map_err(|error| OpenError::store(&path, error)))?;
        status::status(&engine, &path).map_err(|error| OpenError::store(&path, error))
    }

    /// The file, as a canonical path.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Tracks tables, besides those that are tracked already: from now on their changes are
    /// captured, whoever makes them, and the rows that are there belong to the replica. All of it
    /// happens in one transaction, or nothing. Tracking again what is tracked does nothing.
    ///
    /// # Errors
    /// When a table is not there or cannot be tracked, or the file cannot be written.
    pub fn track(&self, tables: &Tables) -> Result<Vec<TrackedTable>, TrackError> {
        let _pass = self.shared.running.enter();
        let mut open = self.lock();
        self.admit()?;
        if open.lease.is_none() {
            let lease = lease(&self.shared.path, &self.shared.options);
            open.lease =
                Some(lease.map_err(|error| StoreError::new(StoreErrorKind::Busy, error.to_string()))?);
        }
        let explain = |error| TrackError::Store(self.explain(error));
        let report = tracking::track(&mut open.engine, tables).map_err(|error| match error {
            TrackError::Store(error) => explain(error),
            other => other,
        })?;
        let settled =
            open.engine.write(|engine| Ok(schema_change::settle(engine)?.into_rows(&engine.catalog)));
        self.shared.applied.publish(&settled.map_err(explain)?);
        Ok(report)
    }

    /// Takes every trace of PocketSync out of the file; the user's tables keep their rows. What
    /// was not sent to anyone stays in this file only, and parked rows are gone.
    ///
    /// # Errors
    /// When the file cannot be written; it is unchanged then.
    pub fn untrack(&self) -> Result<(), StoreError> {
        self.with(|open| {
            tracking::untrack(&mut open.engine)?;
            open.lease = None;
            Ok(())
        })
    }

    /// Runs a migration of the application's schema in one transaction, and follows it: triggers and
    /// clocks fit the new schema, what it changes is sent, and renames are told to all devices.
    ///
    /// A migration may as well be run by any other program; see what that leaves open in
    /// [`ReplicaStatus::schema_warnings`]. This way nothing of a rebuild goes unseen, and what its
    /// statements do not say can be said.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use pocketsync_core::store::sqlite::{Migration, Replica, ReplicaOptions, Tables};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("notes.db");
    /// # let app = pocketsync_core::rusqlite::Connection::open(&path)?;
    /// # app.execute_batch("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)")?;
    /// let replica = Replica::open(&path, ReplicaOptions::default())?;
    /// replica.track(&Tables::all())?;
    /// let report = replica.migrate(&Migration::new(
    ///     "ALTER TABLE note RENAME COLUMN title TO heading; ALTER TABLE note DROP COLUMN body;",
    /// ))?;
    /// assert_eq!(report.renamed, [("note.heading".to_owned(), "note.title".to_owned())]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When a statement of the script fails, or the tables refer to rows that are not there
    /// afterwards; nothing has happened then.
    pub fn migrate(&self, migration: &Migration) -> Result<MigrationReport, StoreError> {
        let (report, shown) = self.with(|open| {
            let (report, shown) = migrate::run(&mut open.engine, migration)?;
            Ok((report, shown.into_rows(&open.engine.catalog)))
        })?;
        self.shared.applied.publish(&shown);
        Ok(report)
    }

    /// Takes a table for good that [`TableStatus::suspect`](super::TableStatus::suspect) names:
    /// the application knows that nothing changed its values while it had no triggers, and they are not
    /// compared with what peers have. Settles what else a change of the schema left open about it, too.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn trust(&self, table: &str) -> Result<(), StoreError> {
        self.with(|open| {
            open.engine.write(|engine| {
                let Some(no) = engine.catalog.by_name(table).map(|table| table.no) else {
                    let message = format!("there is no tracked table {table}");
                    return Err(StoreError::new(StoreErrorKind::Unsupported, message));
                };
                engine.conn.execute("UPDATE __pocketsync_table SET suspect = 0 WHERE no = ?1", [no])?;
                suspect::tell(engine)?;
                Ok(schema_notes::settle(&engine.conn, no, None)?)
            })
        })
    }

    /// Says that the application committed something. Not needed, since the file is looked at now
    /// and then; sooner is better.
    pub fn notify_committed(&self) {
        lock(&self.shared.notices).retain_mut(|reader| {
            // A full channel holds a notice already.
            reader.try_send(()).map_or_else(|error| error.is_full(), |()| true)
        });
    }

    /// Says so where several listen: what one client of this replica brings, another has to pass on.
    pub(super) fn notify_others(&self) {
        if lock(&self.shared.notices).len() > 1 {
            self.notify_committed();
        }
    }

    /// What merges change from now on, for an application that shows rows: SQLite's own hooks do
    /// not see other connections.
    pub fn applied(&self) -> AppliedStream {
        self.shared.applied.subscribe()
    }

    /// The state of the replica. Counts rows, so it takes as long as that takes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn status(&self) -> Result<ReplicaStatus, StoreError> {
        self.with(|open| status::status(&open.engine, &self.shared.path))
    }

    pub(super) fn publish(&self, shown: &[ShownRows]) {
        self.shared.applied.publish(shown);
    }

    /// Yields whenever [`notify_committed`](Self::notify_committed) was called; notices may be
    /// coalesced. Ends with the last handle of the replica.
    pub fn committed(&self) -> BoxStream<'static, ()> {
        let (sender, receiver) = mpsc::channel(0);
        lock(&self.shared.notices).push(sender);
        Box::pin(receiver)
    }

    /// Whether another connection committed since the last call; `true` the first time. Cheap: no
    /// table is read. Others who listen to [`committed`](Self::committed) are told.
    ///
    /// # Errors
    /// When the file cannot be read, or is another one now.
    pub fn changed(&self) -> Result<bool, StoreError> {
        self.with(|open| {
            let version: i64 = open
                .engine
                .conn
                .prepare_cached("PRAGMA main.data_version")?
                .query_row([], |row| row.get(0))?;
            Ok(open.data_version.replace(version) != Some(version))
        })
        .inspect(|changed| {
            if *changed {
                self.notify_others();
            }
        })
    }

    /// Lets go of the file: what runs is interrupted and rolled back, and everything is refused
    /// until [`resume`](Self::resume). Takes a moment at most, also where work cannot be
    /// interrupted at once; then that ends by itself.
    pub fn suspend(&self) {
        self.shared.suspended.store(true, Ordering::SeqCst);
        // An interrupt reaches only a statement that is running at this moment; work that is
        // between two statements is met by the next one.
        let interrupt = || self.shared.interrupt.interrupt();
        self.shared.running.end_with(interrupt, INTERRUPTS, BETWEEN_INTERRUPTS);
    }

    /// Ends [`suspend`](Self::suspend).
    pub fn resume(&self) {
        self.shared.suspended.store(false, Ordering::SeqCst);
    }

    pub(super) fn options(&self) -> &ReplicaOptions {
        &self.shared.options
    }

    pub(super) fn readers(&self) -> &Readers {
        &self.shared.applied
    }

    /// Runs work on the engine, unless the replica is suspended or its file is gone.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Open) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _pass = self.shared.running.enter();
        let mut open = self.lock();
        self.admit()?;
        work(&mut open).map_err(|error| self.explain(error))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        lock(&self.shared.open)
    }

    fn admit(&self) -> Result<(), StoreError> {
        if self.shared.suspended.load(Ordering::SeqCst) {
            let message = format!("{}: suspended; it goes on after resume", self.shared.path.display());
            return Err(StoreError::new(StoreErrorKind::Suspended, message));
        }
        self.shared.file.check(&self.shared.path)
    }

    /// Adds the file and the way out to what SQLite says.
    fn explain(&self, error: StoreError) -> StoreError {
        let path = self.shared.path.display();
        if error.message.starts_with(&path.to_string()) {
            return error;
        }
        let way_out = match error.kind {
            StoreErrorKind::Busy => "another connection has a transaction open; this is tried again",
            StoreErrorKind::Full => "nothing was written; it goes on when there is space again",
            StoreErrorKind::ReadOnly => "a replica needs write permission for the file and its directory",
            StoreErrorKind::Corrupt => "restore it from a backup, or delete it and sync it anew",
            StoreErrorKind::Suspended => "interrupted and rolled back; it goes on after resume",
            _ => return StoreError::new(error.kind, format!("{path}: {}", error.message)),
        };
        StoreError::new(error.kind, format!("{path}: {}; {way_out}", error.message))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves half done in the engine is a transaction, which the next one finds open
    // and fails on; nothing of it is committed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lease(path: &Path, options: &ReplicaOptions) -> Result<Lease, OpenError> {
    let program = options.program.clone().or_else(|| {
        let program = std::env::current_exe().ok()?;
        Some(program.file_name()?.to_string_lossy().into_owned())
    });
    Lease::acquire(path, program.as_deref().unwrap_or("a program")).map_err(|error| match error {
        LeaseError::Held(holder) => OpenError::InUse { path: path.to_owned(), holder },
        LeaseError::Io(error) => OpenError::io(path, error),
    })
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("path", &self.shared.path).finish_non_exhaustive()
    }
}
