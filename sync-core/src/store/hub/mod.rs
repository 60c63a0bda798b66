//! A hub's store in one SQLite file.

mod conflicts;
mod error;
mod load;
mod lock;
mod schema;
mod scope;
mod work;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Store, StoreError, StoreErrorKind, StoreReply, StoreRequest};
use crate::conflict::{ConflictLimits, HubResolver};
use crate::id::{Scope, SiteId};
use crate::lineage::Stamp;
use error::failed;
use load::Loaded;
use lock::HubLock;

/// How many scopes are kept at hand. What is kept is small: names, sites and openings.
const MAX_LOADED: usize = 4096;

/// How a [`HubStore`] is opened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HubStoreOptions {
    /// How long to wait, in milliseconds, for another program's lock on the file.
    pub busy_timeout_ms: u32,
    /// The largest size of the file in bytes; beyond it the store is full. `None`: the disk's.
    pub max_bytes: Option<u64>,
    /// How many bytes the rows of one scope may take, keys and versions included; beyond, changes that add to them are
    /// refused. `None`: as many as there is room for.
    pub max_scope_bytes: Option<u64>,
    /// How many bytes of the file SQLite keeps in memory.
    pub cache_bytes: u64,
    /// How much the conflict log of each scope holds.
    pub conflicts: ConflictLimits,
}

impl Default for HubStoreOptions {
    fn default() -> Self {
        HubStoreOptions {
            busy_timeout_ms: 5_000,
            max_bytes: None,
            max_scope_bytes: None,
            cache_bytes: 8 << 20,
            conflicts: ConflictLimits::default(),
        }
    }
}

/// A hub's store: many scopes in one SQLite file, whatever their tables are.
///
/// What a reply calls applied or staged is on the disk (`synchronous=FULL`): a device may forget
/// that it has to send it. Acknowledgements *by* devices are not waited for, since one that is
/// lost costs nothing but a repetition. All chunks of one request share one transaction, and requests
/// that come [together](Store::run_all) do.
///
/// Copy the file with SQLite's own tools while the hub runs (`VACUUM INTO`, `.backup`), or with any
/// while it does not. A file that is put back from a backup needs no care: the devices notice, and
/// bring again what it lacks.
///
/// ```
/// use pocketsync_core::id::Scope;
/// use pocketsync_core::store::{HubStore, HubStoreOptions, Store, StoreReply, StoreRequest};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("hub.db");
/// let mut hub = HubStore::open(&path, HubStoreOptions::default())?;
/// let scope = Scope::new("notes").unwrap();
/// let StoreReply::Identity(identity) = hub.run(StoreRequest::Identify { scope })? else { unreachable!() };
/// assert_eq!(identity.site, hub.site());
/// assert!(HubStore::open(&path, HubStoreOptions::default()).is_err(), "one hub a file");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HubStore {
    conn: Connection,
    path: PathBuf,
    file: FileIdentity,
    site: SiteId,
    stamp: Stamp,
    loaded: BTreeMap<Scope, Loaded>,
    resolver: HubResolver,
    limits: ConflictLimits,
    max_scope_bytes: Option<u64>,
    // Let go of after the connection, which is dropped before it.
    _lock: HubLock,
}

impl HubStore {
    /// Opens the file at `path`, or creates it where there is none.
    ///
    /// # Errors
    /// * [`StoreErrorKind::Busy`] when another hub has it open;
    /// * [`StoreErrorKind::Corrupt`] when it is no hub's file, or damaged;
    /// * [`StoreErrorKind::NewerFormat`] when a newer PocketSync wrote it;
    /// * [`StoreErrorKind::ReadOnly`], [`StoreErrorKind::Full`] or [`StoreErrorKind::Io`] when it
    ///   cannot be written.
    pub fn open(path: impl AsRef<Path>, options: HubStoreOptions) -> Result<Self, StoreError> {
        let path = path.as_ref();
        // Two names of one file must meet in one lock.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let lock = HubLock::take(&path)?;
        let sql = |error: rusqlite::Error| failed(&path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(&path, flags).map_err(sql)?;
        conn.busy_timeout(Duration::from_millis(options.busy_timeout_ms.into())).map_err(sql)?;
        if conn.is_readonly("main").map_err(sql)? {
            return Err(StoreError::new(
                StoreErrorKind::ReadOnly,
                format!(
                    "hub file {} cannot be written; the hub must be able to write the file and its directory",
                    path.display()
                ),
            ));
        }
        conn.set_prepared_statement_cache_capacity(64);
        let (site, stamp) = schema::prepare(&mut conn, &path)?;
        configure(&conn, &options).map_err(sql)?;
        let file = FileIdentity::of(&path);
        Ok(HubStore {
            conn,
            path,
            file,
            site,
            stamp,
            loaded: BTreeMap::new(),
            resolver: HubResolver::default(),
            limits: options.conflicts,
            max_scope_bytes: options.max_scope_bytes,
            _lock: lock,
        })
    }

    /// The hub's site: drawn when the file was created.
    pub fn site(&self) -> SiteId {
        self.site
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is still the one that was opened.
    fn is_there(&self) -> Result<(), StoreError> {
        if FileIdentity::of(&self.path) == self.file {
            return Ok(());
        }
        Err(StoreError::new(
            StoreErrorKind::Gone,
            format!(
                "hub file {} was deleted or replaced while the hub was running; stop the hub before restoring a backup, then start it again",
                self.path.display()
            ),
        ))
    }

    /// Does work that is not worth a wait for the disk: the next commit that is takes it along.
    fn without_waiting<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let sql = |error: rusqlite::Error| failed(&self.path, &error);
        self.conn.execute_batch("PRAGMA synchronous = NORMAL").map_err(sql)?;
        let done = work(self);
        let full = self.conn.execute_batch("PRAGMA synchronous = FULL");
        full.map_err(|error| failed(&self.path, &error))?;
        done
    }
}

impl Store for HubStore {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        self.is_there()?;
        if matches!(request, StoreRequest::Acked { .. }) {
            return self.without_waiting(|hub| hub.work(request));
        }
        self.work(request)
    }

    /// In one transaction, so that they wait for the disk once.
    fn run_all(&mut self, requests: Vec<StoreRequest>) -> Vec<Result<StoreReply, StoreError>> {
        if requests.len() < 2 {
            return requests.into_iter().map(|request| self.run(request)).collect();
        }
        let count = requests.len();
        let done = self.is_there().and_then(|()| {
            if requests.iter().any(work::has_to_last) {
                self.work_together(requests)
            } else {
                self.without_waiting(|hub| hub.work_together(requests))
            }
        });
        done.unwrap_or_else(|error| vec![Err(error); count])
    }
}

fn configure(conn: &Connection, options: &HubStoreOptions) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF")?;
    // Else SQLite may prepare a statement anew each time that a range in it is bound to others.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let cache_kib = i64::try_from(options.cache_bytes / 1024).unwrap_or(i64::MAX);
    conn.execute_batch(&format!("PRAGMA cache_size = -{cache_kib}"))?;
    if let Some(max_bytes) = options.max_bytes {
        let page: i64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = i64::try_from(max_bytes).unwrap_or(i64::MAX) / page.max(1);
        conn.query_row(&format!("PRAGMA max_page_count = {}", pages.max(1)), [], |_| Ok(()))?;
    }
    Ok(())
}

/// Tells a file from another one under the same path, where the system can.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileIdentity(Option<(u64, u64)>);

impl FileIdentity {
    #[cfg(unix)]
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        FileIdentity(std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino())))
    }

    #[cfg(not(unix))]
    fn of(_: &Path) -> Self {
        FileIdentity(None)
    }
}
