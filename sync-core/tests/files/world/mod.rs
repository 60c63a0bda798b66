//! Replicas and a hub in real SQLite files, the real machines, and wires that carry one frame at a
//! time, so that a test can stop, copy, kill and restore anything between any two of them.
#![allow(dead_code, reason = "each test program uses its part of it")]

pub(crate) mod disk;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use pocketsync_core::change::Changeset;
use pocketsync_core::clock::{Now, Version};
use pocketsync_core::conflict::{ConflictFilter, LoggedConflict};
use pocketsync_core::hub::{Hub, HubConfig};
use pocketsync_core::id::{RowId, Scope, SiteId};
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::session::{Admitted, SessionEnd};
use pocketsync_core::store::sqlite::replica::{Parked, ParkedReason, Replica};
use pocketsync_core::store::{HubStore, HubStoreOptions, Store, StoreReply, StoreRequest};
use pocketsync_core::value::Value;
use tempfile::TempDir;

use wire::{Link, LinkId};

pub(crate) fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

/// A file, the application's connection to it, and its replica.
pub(crate) struct Device {
    dir: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) app: Connection,
    pub(crate) replica: Replica,
    /// By how much its clock is ahead.
    pub(crate) skew_ms: i64,
    pub(crate) online: bool,
    pub(crate) caught_up: bool,
    pub(crate) sent_bytes: usize,
    /// How often it had something to say along with an introduction.
    pub(crate) early: usize,
    pub(crate) ends: Vec<SessionEnd>,
}

pub(crate) struct World {
    dir: TempDir,
    hub: Hub,
    store: Option<HubStore>,
    pub(crate) devices: Vec<Device>,
    links: BTreeMap<LinkId, Link>,
    next_link: LinkId,
    /// The end of a link whose turn it is.
    turn: (LinkId, usize),
    started: Instant,
    /// What every clock shows that is right, in milliseconds since 1970; `None`: the machine's own time,
    /// by which a slow disk may put a clock in the wrong.
    pub(crate) clock_ms: Option<u64>,
    pub(crate) max_frame_bytes: usize,
    /// Links are lost after so many frames.
    pub(crate) frames_per_link: Option<usize>,
    /// What the hub lets devices do; all others may do everything.
    pub(crate) admitted: BTreeMap<usize, Admitted>,
    /// What holds of every file that calls itself caught up.
    pub(crate) invariant: Option<fn(&Connection)>,
    /// Every cell that was ever handed out: a version has one value.
    told: BTreeMap<(String, RowId, String, Version), Value>,
}

impl World {
    /// A hub and so many devices with this schema (and rows), tracked.
    pub(crate) fn new(devices: usize, schema: &str) -> Self {
        let mut world = World::empty();
        for _ in 0..devices {
            world.install(schema, "WAL");
        }
        world
    }

    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Some(HubStore::open(dir.path().join("hub.db"), HubStoreOptions::default()).unwrap());
        let started = Instant::now();
        World {
            dir,
            hub: Hub::new(HubConfig::default(), Now::default()),
            store,
            devices: Vec::new(),
            links: BTreeMap::new(),
            next_link: 0,
            turn: (0, 0),
            started,
            clock_ms: None,
            max_frame_bytes: 1 << 20,
            frames_per_link: None,
            admitted: BTreeMap::new(),
            invariant: None,
            told: BTreeMap::new(),
        }
    }

    fn now(&self, skew_ms: i64) -> Now {
        let wall = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
        let mono = || Duration::from_secs(1) + self.started.elapsed();
        Now {
            mono: self.clock_ms.map_or_else(mono, Duration::from_millis),
            wall_ms: self.clock_ms.unwrap_or_else(wall).saturating_add_signed(skew_ms),
        }
    }

    /// What the hub lets a device do from now on.
    pub(crate) fn admit(&mut self, n: usize, admitted: Admitted) {
        self.admitted.insert(n, admitted);
        self.cut_all(n);
    }

    /// What the hub did not take of a device.
    pub(crate) fn refused(&self, n: usize) -> Vec<Parked> {
        let parked = self.devices[n].replica.parked().unwrap();
        parked.into_iter().filter(|parked| parked.reason == ParkedReason::NotAllowed).collect()
    }

    /// What the hub's log of conflicts holds.
    pub(crate) fn hub_conflicts(&self, filter: &ConflictFilter) -> Vec<LoggedConflict> {
        self.store.as_ref().unwrap().conflicts(&scope(), filter).unwrap()
    }

    /// One transaction of the application, by the device's clock.
    pub(crate) fn sql(&self, n: usize, statements: &str) {
        let Device { app, skew_ms, .. } = &self.devices[n];
        let last = "SELECT coalesce(max(rowid), 0) FROM __pocketsync_journal";
        app.execute_batch("BEGIN IMMEDIATE").unwrap();
        let before: i64 = app.query_row(last, [], |row| row.get(0)).unwrap();
        app.execute_batch(statements).unwrap();
        let shift = "UPDATE __pocketsync_journal
             SET at = coalesce(2440587.5 + ?3 / 86400000.0, at) + ?1 / 86400000.0 WHERE rowid > ?2";
        app.execute(shift, (skew_ms, before, self.clock_ms.map(|ms| ms as i64))).unwrap();
        app.execute_batch("COMMIT").unwrap();
    }

    /// The first column of a query, as text.
    pub(crate) fn rows(&self, n: usize, query: &str) -> Vec<String> {
        rows(&self.devices[n].app, query)
    }

    /// What every device that is online shows.
    pub(crate) fn same(&self, query: &str) -> Vec<String> {
        let online = (0..self.devices.len()).filter(|&n| self.devices[n].online);
        let mut shown = online.map(|n| (n, self.rows(n, query)));
        let (_, first) = shown.next().unwrap();
        for (n, others) in shown {
            assert_eq!(others, first, "device {n}");
        }
        first
    }

    pub(crate) fn site(&self, n: usize) -> SiteId {
        let mut replica = self.devices[n].replica.clone();
        match replica.run(StoreRequest::Identify { scope: scope() }).unwrap() {
            StoreReply::Identity(identity) => identity.site,
            other => panic!("{other:?}"),
        }
    }

    /// Has the engine fold what is in the journal, as it does when a clock is set.
    pub(crate) fn fold(&self, n: usize) {
        let done = self.devices[n].replica.clone().run(StoreRequest::ClockJumped { scope: scope() });
        assert_eq!(done.unwrap(), StoreReply::Done);
    }

    pub(crate) fn forks(&self, n: usize) -> usize {
        self.devices[n].ends.iter().filter(|end| matches!(end, SessionEnd::Forked { .. })).count()
    }

    /// What the hub has logged.
    pub(crate) fn conflicts_at_hub(&self) -> Vec<LoggedConflict> {
        self.store.as_ref().unwrap().conflicts(&scope(), &ConflictFilter::default()).unwrap()
    }

    /// The largest version that was handed out for a column of rows with a value like this.
    pub(crate) fn version_of(&self, column: &str, value: &str) -> Version {
        let cells =
            self.told.iter().filter(|((_, _, name, _), told)| name == column && **told == Value::text(value));
        cells.map(|((.., version), _)| *version).max().unwrap()
    }

    fn remember(&mut self, changeset: &Changeset) {
        for table in &changeset.tables {
            for row in &table.rows {
                for cell in &row.cells {
                    let column = table.columns[cell.column as usize].clone();
                    // Rows that were there before tracking may differ from file to file.
                    if cell.version == Version::GENESIS {
                        continue;
                    }
                    let key = (table.name.clone(), row.id.clone(), column, cell.version);
                    let told = self.told.entry(key).or_insert_with(|| cell.value.clone());
                    assert_eq!(
                        *told, cell.value,
                        "two values of one version: {} {} {cell:?}",
                        table.name, row.id
                    );
                }
            }
        }
    }
}

pub(crate) fn rows(app: &Connection, query: &str) -> Vec<String> {
    let mut statement = app.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
