//! A device: a file, an application, and a client that keeps the file in step.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocketsync_core::driver::{Client, ClientOptions, Driver, Status};
use pocketsync_core::id::Scope;
use pocketsync_core::session::SessionConfig;
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables};
use rusqlite::Connection;

use super::Stop;
use super::clock::{Time, WrongClock};
use super::image::Image;
use super::line::{Dial, Line};
use super::parts::Parts;
use super::process::Process;
use super::records::Records;
use super::runtime::SimulatedRuntime;
use super::watched::{Watched, scope_name};
use crate::app;
use crate::determinism::Chance;
use crate::history::StatusView;
use crate::shape::Shape;
use crate::story::{Cut, Device as Planned, DeviceNo, Migrator, Ms, TxId};

/// One device in so many keeps its file without a write-ahead log.
const ROLLBACK_JOURNAL_ONE_IN: u32 = 4;

/// Where a host's program is put before the host starts, and taken from by it.
pub(super) type Slot<T> = Arc<Mutex<Option<T>>>;

/// A device.
pub(super) struct Device {
    pub(super) no: DeviceNo,
    pub(super) scope: u32,
    pub(super) host: String,
    pub(super) file: PathBuf,
    pub(super) clock: Arc<WrongClock>,
    pub(super) line: Arc<Line>,
    pub(super) slot: Slot<Driver>,
    /// Whether the network has a host for it yet.
    pub(super) has_host: bool,
    /// Whether it was ever started.
    pub(super) exists: bool,
    pub(super) lost: bool,
    pub(super) online: bool,
    /// How its link was cut, if the packets are what suffers.
    pub(super) cut: Option<Cut>,
    pub(super) life: Option<Life>,
    pub(super) restart_at: Option<Ms>,
    /// It is killed by then, whether or not its store gets to the point that was waited for.
    pub(super) killed_by: Option<(Ms, Ms)>,
    pub(super) backup: Option<Backup>,
    /// The last transaction that its file has.
    pub(super) written: Option<TxId>,
    pub(super) acknowledged: Option<TxId>,
    pub(super) status: Option<StatusView>,
    /// Whether it has caught up since its file came to be what it is.
    pub(super) caught_up: bool,
    /// The version of the schema that it is to have, and who makes it.
    pub(super) target: Option<(u32, Migrator)>,
    /// The one that a new file is made with.
    version: usize,
    starts: u64,
}

/// While its process runs. The fields are dropped in this order: the application's connection
/// before the engine's.
pub(super) struct Life {
    pub(super) process: Arc<Process>,
    pub(super) app: Connection,
    pub(super) client: Client,
    pub(super) replica: Replica,
}

/// A copy that was put aside.
pub(super) struct Backup {
    pub(super) at: Ms,
    pub(super) image: Image,
    pub(super) written: Option<TxId>,
}

impl Device {
    pub(super) fn new(
        no: DeviceNo,
        planned: &Planned,
        dir: &Path,
        seed: u64,
        time: &Arc<Time>,
        records: &Records,
    ) -> Self {
        Device {
            no,
            scope: planned.scope,
            host: no.to_string(),
            file: dir.join(format!("{no}.db")),
            clock: Arc::new(WrongClock::new(time, planned.clock)),
            line: Line::new(no, planned.link, seed, time, records),
            slot: Slot::default(),
            has_host: false,
            exists: false,
            lost: false,
            online: planned.online,
            cut: None,
            life: None,
            restart_at: None,
            killed_by: None,
            backup: None,
            written: None,
            acknowledged: None,
            status: None,
            caught_up: false,
            target: None,
            version: planned.version as usize,
            starts: 0,
        }
    }

    /// Starts its process: opens the file, which is made if there is none, and puts the client's
    /// driver where the host takes it.
    pub(super) fn start<P: Parts>(
        &mut self,
        parts: &Arc<P>,
        shape: &Shape,
        time: &Arc<Time>,
        records: &Records,
    ) -> Result<(), Stop> {
        self.clock.tell_thread();
        let no = self.no;
        let is_new = !self.file.exists();
        let app =
            app::open(&self.file).map_err(|error| Stop::failed("cannot open a device's file", error))?;
        if is_new {
            let mode = if (no.0 + 1).is_multiple_of(ROLLBACK_JOURNAL_ONE_IN) { "DELETE" } else { "WAL" };
            let made = app
                .query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(()))
                .and_then(|()| app::create(&app, shape, self.version));
            made.map_err(|error| Stop::failed("cannot create the schema", error))?;
        }
        let replica = Replica::open(&self.file, ReplicaOptions::default())
            .map_err(|error| Stop::failed("cannot open a replica", error))?;
        if is_new {
            let tracked = replica.track(&tracked(shape, self.version));
            tracked.map_err(|error| Stop::failed("cannot track the tables", error))?;
            for rule in &shape.rules {
                let set = replica.set_rule(&rule.for_replica());
                set.map_err(|error| Stop::failed("cannot set a rule", error))?;
            }
        }
        let process = Process::new(&self.clock, self.file.clone(), records, self.written);
        let chance = Chance::new(self.line.seed, "device", u64::from(no.0) << 32 | self.starts);
        self.starts += 1;
        let store = Watched::new(parts.device(no, replica.clone()), &process, Some(no));
        let scope = Scope::new(scope_name(self.scope))
            .map_err(|error| Stop::failed("a number makes no scope", error))?;
        let mut session = SessionConfig::new(scope.clone());
        shorten(&mut session);
        let mut options = ClientOptions::default().with_session(session);
        options.backoff_max = Duration::from_secs(15);
        let dial = Dial { line: Arc::clone(&self.line), parts: Arc::clone(parts) };
        let runtime = SimulatedRuntime::new(time, &process, chance);
        let (client, driver) = Client::new(store, scope, Arc::new(dial), runtime, options);
        *self.slot.lock().expect("nobody panics while holding a slot") = Some(driver);
        self.life = Some(Life { process, app, client, replica });
        self.line.set_up(self.online);
        self.exists = true;
        self.restart_at = None;
        Ok(())
    }

    /// What the application is told of the client's status.
    pub(super) fn told_status<P: Parts>(&self, parts: &P, dir: &Path) -> Option<(Status, StatusView)> {
        let life = self.life.as_ref()?;
        let status = parts.status(self.no, life.client.status());
        // Two runs of one story have different directories.
        let dir = format!("{}/", dir.display());
        let view = StatusView {
            state: status.state.name(),
            in_sync: status.is_in_sync(),
            pending: status.pending,
            parked: status.parked,
            last_error: status.last_error.as_ref().map(|error| error.to_string().replace(&dir, "")),
        };
        Some((status, view))
    }
}

/// Finds out sooner than a default session that a link is dead: a simulated minute is long.
pub(super) fn shorten(session: &mut SessionConfig) {
    session.ping_after = Duration::from_secs(10);
    session.dead_after = Duration::from_secs(30);
}

/// The tables that are synced in a version of the schema.
pub(super) fn tracked(shape: &Shape, version: usize) -> Tables {
    if shape.untracked.is_empty() {
        return Tables::all();
    }
    let here = shape.tables_at(version).iter().filter(|table| table.is_here());
    Tables::only(here.map(|table| table.name.as_str()))
}
