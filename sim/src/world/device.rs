//! A device: a file, an application, and a client that keeps the file in step.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use pocketsync_core::admission;
use pocketsync_core::driver::{Client, ClientOptions, Driver, Status};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::session::SessionConfig;
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables};
use rusqlite::Connection;

use super::Stop;
use super::clock::{Time, WrongClock};
use super::image::Image;
use super::line::{Dial, HUB, Line};
use super::listen::Listen;
use super::parts::Parts;
use super::process::Process;
use super::records::Records;
use super::runtime::{Known, SimulatedRuntime};
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
    /// The drivers of its clients, as they come.
    pub(super) slot: Slot<UnboundedReceiver<Driver>>,
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
    /// The last transaction that is acknowledged, and by whom where there is no hub.
    pub(super) acknowledged: Option<(Option<DeviceNo>, TxId)>,
    pub(super) status: Option<StatusView>,
    /// Whether it has caught up since its file came to be what it is.
    pub(super) caught_up: bool,
    /// The version of the schema that it is to have, and who makes it.
    pub(super) target: Option<(u32, Migrator)>,
    /// The one that a new file is made with.
    version: usize,
    has_hub: bool,
    starts: u64,
    calls: u64,
}

/// While its process runs. The fields are dropped in this order: the application's connection
/// before the engine's.
pub(super) struct Life {
    pub(super) process: Arc<Process>,
    pub(super) app: Connection,
    /// The hub's client, or where there is none the one that is called.
    pub(super) client: Client,
    pub(super) known: Arc<Known>,
    /// Where there is no hub, while it calls somebody.
    pub(super) caller: Option<Caller>,
    /// Whether it has met a copy of itself before the two had parted: they are told so.
    pub(super) met_copy: bool,
    pub(super) replica: Replica,
    /// Where its host takes drivers.
    pub(super) drivers: UnboundedSender<Driver>,
    /// Which of the starts of its process this was.
    pub(super) start: u64,
}

/// A client that calls another device.
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) known: Arc<Known>,
}

impl Life {
    /// The client whose word counts: the one that speaks with somebody.
    fn speaker(&self) -> (&Client, &Known) {
        match &self.caller {
            Some(caller) => (&caller.client, &*caller.known),
            None => (&self.client, &*self.known),
        }
    }

    /// The last transaction that is covered by what the client knows of the store.
    pub(super) fn known_through(&self) -> Option<TxId> {
        self.speaker().1.through()
    }
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
        has_hub: bool,
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
            has_hub,
            starts: 0,
            calls: 0,
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
        let start = self.starts;
        self.starts += 1;
        let store = self.store(parts, replica.clone(), &process);
        let (scope, options) = (self.synced()?, self.options()?);
        let runtime = SimulatedRuntime::new(time, &process, chance);
        let known = runtime.known();
        let (client, driver) = if self.has_hub {
            let line = Arc::clone(&self.line);
            let dial = Dial { line, parts: Arc::clone(parts), to: HUB.to_owned() };
            Client::new(store, scope, Arc::new(dial), runtime, options)
        } else {
            let listen = Arc::new(Listen::new(&self.line, parts));
            Client::accepting(store, scope, listen, Arc::new(admission::Open), runtime, options)
        };
        let (drivers, arriving) = unbounded();
        drivers.unbounded_send(driver).expect("the other end is at hand");
        *self.slot.lock().expect("nobody panics while holding a slot") = Some(arriving);
        self.life = Some(Life {
            process,
            app,
            client,
            known,
            caller: None,
            met_copy: false,
            replica,
            drivers,
            start,
        });
        self.line.set_up(self.online);
        self.exists = true;
        self.restart_at = None;
        Ok(())
    }

    /// What its clients run on.
    pub(super) fn store<P: Parts>(
        &self,
        parts: &Arc<P>,
        replica: Replica,
        process: &Arc<Process>,
    ) -> Watched<P::Device> {
        Watched::new(parts.device(self.no, replica), process, Some(self.no))
    }

    /// What they sync.
    pub(super) fn synced(&self) -> Result<Scope, Stop> {
        Scope::new(scope_name(self.scope)).map_err(|error| Stop::failed("a number makes no scope", error))
    }

    /// How they do it.
    pub(super) fn options(&self) -> Result<ClientOptions, Stop> {
        let mut session = SessionConfig::new(self.synced()?);
        shorten(&mut session);
        let mut options = ClientOptions::default().with_session(session);
        options.backoff_max = Duration::from_secs(15);
        Ok(options)
    }

    /// What a client that calls has of the world.
    pub(super) fn runtime(&mut self, process: &Arc<Process>, time: &Arc<Time>) -> Arc<SimulatedRuntime> {
        let chance = Chance::new(self.line.seed, "caller", u64::from(self.no.0) << 32 | self.calls);
        self.calls += 1;
        SimulatedRuntime::new(time, process, chance)
    }

    /// Under which identity it numbers its log, as far as it has said so.
    pub(super) fn writes_as(&self) -> Option<SiteId> {
        self.life.as_ref().and_then(|life| life.process.site())
    }

    /// What the application is told of the client's status.
    pub(super) fn told_status<P: Parts>(&self, parts: &P, dir: &Path) -> Option<(Status, StatusView)> {
        let life = self.life.as_ref()?;
        let status = parts.status(self.no, life.speaker().0.status());
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
