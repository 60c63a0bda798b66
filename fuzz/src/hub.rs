//! A hub among honest devices and others.
//!
//! Devices write, lose their links, come back; strangers send anything that bytes can say, some of
//! them with the right to write; the hub's store fails and is opened anew. Whatever the strangers
//! did: once they are gone, the honest devices and the hub come to hold the same, and to rest.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use pocketsync_core::Bytes;
use pocketsync_core::clock::Now;
use pocketsync_core::hub::{ConnId, Hub, HubConfig, HubOutput};
use pocketsync_core::id::{RowId, Scope};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{AdmitRequest, Admitted, Output, RequestId, Rights, Session, SessionConfig};
use pocketsync_core::store::{MemoryStore, Store, StoreError, StoreErrorKind, StoreRequest};
use pocketsync_core::value::Value;
use pocketsync_core::wire::frame::{Assembler, cut};
use pocketsync_core::wire::{ErrorCode, Message, WireError};

use crate::draw::messages::{Known, spoiled};
use crate::draw::values::{NOON_MS, nth_site};
use crate::draw::{Input, Result};

const DEVICES: usize = 3;
const MAX_STRANGERS: usize = 4;
/// More outputs than any one input gives here.
const MAX_OUTPUTS: usize = 20_000;
/// After this many rounds without strangers, everybody holds the same.
const MAX_ROUNDS: usize = 40;

/// Runs a script, drawn from the data, and lets the honest devices finish.
pub fn run(data: &[u8]) {
    let mut world = World::new();
    let mut u = Input::new(data);
    while !u.is_empty() {
        if world.step(&mut u).is_err() {
            break;
        }
        world.drain();
    }
    world.settle();
}

fn scope() -> Scope {
    Scope::new("notes").expect("a name")
}

fn hub_config() -> HubConfig {
    let mut config = HubConfig::default();
    config.session.max_message_bytes = 64 << 10;
    config.session.window_bytes = 16 << 10;
    config.session.chunk_bytes = 4 << 10;
    config.max_connections = DEVICES + MAX_STRANGERS + 2;
    config.max_group_chunks = 3;
    config
}

struct Device {
    store: MemoryStore,
    link: Option<Link>,
}

/// A device's session, its connection, and what is on the way.
struct Link {
    session: Session,
    conn: ConnId,
    up: VecDeque<Bytes>,
    down: VecDeque<Bytes>,
}

/// Somebody whose word counts for nothing.
struct Stranger {
    rights: Option<Rights>,
    heard: Assembler,
    reads: bool,
    last: Option<Bytes>,
}

struct World {
    hub: Hub,
    store: MemoryStore,
    asked: VecDeque<(RequestId, StoreRequest)>,
    devices: Vec<Device>,
    strangers: BTreeMap<ConnId, Stranger>,
    known: Known,
    now: Now,
    stamps: u64,
}

impl World {
    fn new() -> Self {
        let now = Now { mono: Duration::from_secs(1), wall_ms: NOON_MS };
        let device = |n: u8| Device {
            store: MemoryStore::device(nth_site(n + 1), Stamp(u64::from(n) + 1)),
            link: None,
        };
        World {
            hub: Hub::new(hub_config(), now),
            store: MemoryStore::hub(nth_site(9), Stamp(9)),
            asked: VecDeque::new(),
            devices: (0..DEVICES as u8).map(device).collect(),
            strangers: BTreeMap::new(),
            known: Known::default(),
            now,
            stamps: 100,
        }
    }

    fn step(&mut self, u: &mut Input<'_>) -> Result<()> {
        let at = u.int_in_range(0..=DEVICES - 1)?;
        match u.int_in_range(0..=23u8)? {
            0..=3 => self.write(at, u)?,
            4 => self.connect(at),
            5..=7 => {
                let count = u.int_in_range(1..=4)?;
                self.carry_up(at, count);
            }
            8..=10 => {
                let count = u.int_in_range(1..=4)?;
                self.carry_down(at, count);
            }
            11..=13 => {
                let fails = u.ratio(1, 16u8)?;
                self.answer(fails);
            }
            14 => self.cut(at, "cut"),
            15 => self.pass(*u.choose(&[1, 1_000, 5_000, 20_000, 60_000])?),
            16 if self.strangers.len() < MAX_STRANGERS => {
                let rights = Rights { read: u.arbitrary()?, write: u.arbitrary()?, relay: false };
                let rights = if u.ratio(1, 4u8)? { None } else { Some(rights) };
                let conn = self.hub.open(self.now, 1 << 20);
                let heard = Assembler::new(1 << 20);
                self.strangers.insert(conn, Stranger { rights, heard, reads: u.arbitrary()?, last: None });
            }
            16..=21 => self.molest(u)?,
            22 if u.ratio(1, 4u8)? => self.restart_hub(),
            22 if u.ratio(1, 4u8)? => self.hub.scope_changed(self.now, &scope()),
            _ => self.reopen(at),
        }
        Ok(())
    }

    fn write(&mut self, at: usize, u: &mut Input<'_>) -> Result<()> {
        let (choice, key, value): (u8, i64, u8) =
            (u.int_in_range(0..=4)?, u.int_in_range(0..=2)?, u.arbitrary()?);
        let store = &mut self.devices[at].store;
        let rows: Vec<RowId> = store.rows(&scope()).remove("note").unwrap_or_default().into_keys().collect();
        let row = if rows.is_empty() { None } else { Some(u.choose(&rows)?.clone()) };
        let cells = [("text", Value::Blob(vec![value; usize::from(value) * 4]))];
        store.write(&scope(), self.now.wall_ms, |tx| match (choice, row) {
            (0 | 1, _) | (_, None) => drop(tx.insert("note", &cells)),
            (2, _) => drop(tx.insert_natural("tag", vec![Value::Integer(key)], &cells)),
            (3, Some(row)) => drop(tx.delete("note", &row)),
            (_, Some(row)) => drop(tx.update("note", &row, &cells)),
        });
        if let Some(link) = &mut self.devices[at].link {
            link.session.local_changed(self.now);
        }
        Ok(())
    }

    fn connect(&mut self, at: usize) {
        if self.devices[at].link.is_none() {
            let conn = self.hub.open(self.now, 1 << 20);
            let session = Session::connect(SessionConfig::new(scope()), self.now);
            self.devices[at].link = Some(Link { session, conn, up: VecDeque::new(), down: VecDeque::new() });
        }
    }

    /// The link of a device breaks, with all that is on it.
    fn cut(&mut self, at: usize, reason: &str) {
        if let Some(mut link) = self.devices[at].link.take() {
            link.session.handle_lost(self.now, reason);
            self.hub.handle_lost(self.now, link.conn, reason);
        }
    }

    fn carry_up(&mut self, at: usize, count: usize) -> bool {
        let Some(link) = &mut self.devices[at].link else { return false };
        let count = count.min(link.up.len());
        for frame in link.up.drain(..count) {
            self.hub.handle_frame(self.now, link.conn, frame);
        }
        count > 0
    }

    fn carry_down(&mut self, at: usize, count: usize) -> bool {
        let Some(link) = &mut self.devices[at].link else { return false };
        let count = count.min(link.down.len());
        for frame in link.down.drain(..count) {
            self.hub.handle_sent(self.now, link.conn, frame.len());
            link.session.handle_frame(self.now, frame);
        }
        count > 0
    }

    /// The hub's store answers its oldest request.
    fn answer(&mut self, fails: bool) -> bool {
        let Some((id, request)) = self.asked.pop_front() else { return false };
        let reply = match fails {
            true => Err(StoreError::new(StoreErrorKind::Io, "made up")),
            false => self.store.run(request),
        };
        self.hub.handle_store(self.now, id, reply);
        true
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono += Duration::from_millis(ms);
        self.now.wall_ms += ms;
        self.hub.handle_timeout(self.now);
        for device in &mut self.devices {
            if let Some(link) = &mut device.link {
                link.session.handle_timeout(self.now);
            }
        }
        if let Some(at) = self.drain() {
            assert!(at > self.now.mono, "a deadline that has passed is set again");
        }
    }

    /// A stranger says something, or hangs up.
    fn molest(&mut self, u: &mut Input<'_>) -> Result<()> {
        let conns: Vec<ConnId> = self.strangers.keys().copied().collect();
        if conns.is_empty() {
            return Ok(());
        }
        let conn = *u.choose(&conns)?;
        let frames = match u.int_in_range(0..=15u8)? {
            0 => {
                self.strangers.remove(&conn);
                self.hub.handle_lost(self.now, conn, "hung up");
                return Ok(());
            }
            1 | 2 => vec![spoiled(u, self.strangers[&conn].last.as_ref())?],
            3..=6 => {
                let mut hello = self.known.hello(u, &scope())?;
                // Under its own name more often than not: another one is not let in.
                if !u.ratio(1, 4u8)? {
                    hello.site = nth_site(0xf0 | u.int_in_range(0..=3u8)?);
                }
                cut(&Message::Hello(hello), 1 << 20)
            }
            _ => cut(&self.known.message(u, &scope())?, *u.choose(&[1 << 20, 256])?),
        };
        for frame in frames {
            self.hub.handle_frame(self.now, conn, frame);
        }
        Ok(())
    }

    fn restart_hub(&mut self) {
        for at in 0..DEVICES {
            self.cut(at, "the hub is gone");
        }
        self.strangers.clear();
        self.asked.clear();
        self.stamps += 1;
        self.store.reopen(Stamp(self.stamps));
        self.hub = Hub::new(hub_config(), self.now);
    }

    fn reopen(&mut self, at: usize) {
        self.cut(at, "the device is gone");
        self.stamps += 1;
        self.devices[at].store.reopen(Stamp(self.stamps));
    }

    /// Takes all outputs, and says when the hub wants to be woken.
    fn drain(&mut self) -> Option<Duration> {
        for at in 0..DEVICES {
            self.drain_device(at);
        }
        for _ in 0..MAX_OUTPUTS {
            match self.hub.poll_output() {
                HubOutput::Transmit { conn, frame } => self.transmitted(conn, frame),
                HubOutput::Store { id, request } => self.asked.push_back((id, request)),
                HubOutput::Admit { conn, request } => {
                    let verdict = self.admit(conn, &request);
                    self.hub.handle_admission(self.now, conn, verdict);
                }
                HubOutput::Event { .. } => {}
                HubOutput::Closed { conn, .. } => {
                    self.strangers.remove(&conn);
                }
                HubOutput::Wait(deadline) => {
                    assert!(self.hub.connections() <= hub_config().max_connections);
                    return deadline.at;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("the outputs do not end");
    }

    fn drain_device(&mut self, at: usize) {
        let device = &mut self.devices[at];
        let Some(link) = &mut device.link else { return };
        for _ in 0..MAX_OUTPUTS {
            match link.session.poll_output() {
                Output::Transmit(frame) => link.up.push_back(frame),
                Output::Store(id, request) => {
                    let reply = device.store.run(request);
                    link.session.handle_store(self.now, id, reply);
                }
                Output::Event(_) => {}
                Output::Wait(_) => return,
                Output::Closed(_) => {
                    // What was said before still arrives.
                    let (conn, up) = (link.conn, std::mem::take(&mut link.up));
                    device.link = None;
                    up.into_iter().for_each(|frame| self.hub.handle_frame(self.now, conn, frame));
                    return self.hub.handle_lost(self.now, conn, "closed");
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("the outputs of a device do not end");
    }

    fn transmitted(&mut self, conn: ConnId, frame: Bytes) {
        if let Some(stranger) = self.strangers.get_mut(&conn) {
            if stranger.reads {
                self.hub.handle_sent(self.now, conn, frame.len());
            }
            stranger.last = Some(frame.clone());
            if let Some(message) = stranger.heard.push(frame).expect("a hub says what can be read") {
                self.known.hear(&message);
            }
        } else if let Some(link) =
            self.devices.iter_mut().find_map(|device| device.link.as_mut().filter(|link| link.conn == conn))
        {
            link.down.push_back(frame);
        }
    }

    /// Devices are let in; strangers under names of their own, and with the rights that they have.
    fn admit(&self, conn: ConnId, request: &AdmitRequest) -> std::result::Result<Admitted, WireError> {
        let rights = match self.strangers.get(&conn) {
            None => Some(Rights::ALL),
            Some(stranger) => stranger.rights.filter(|_| request.site.as_bytes()[0] >= 0xf0),
        };
        let refused =
            WireError { code: ErrorCode::Forbidden, message: "a stranger".to_owned(), retry_after_ms: None };
        rights.map(|rights| Admitted::new("somebody", rights)).ok_or(refused)
    }

    /// The strangers go, and the devices stay connected until nothing moves.
    fn settle(&mut self) {
        for conn in std::mem::take(&mut self.strangers).into_keys() {
            self.hub.handle_lost(self.now, conn, "hung up");
        }
        self.drain();
        let mut resting = 0;
        for _ in 0..MAX_ROUNDS {
            let mut moved = false;
            for at in 0..DEVICES {
                moved |= self.devices[at].link.is_none();
                self.connect(at);
            }
            self.drain();
            while self.exchange() {
                moved = true;
            }
            // Some things are told after a while only.
            resting = if moved { 0 } else { resting + 1 };
            if resting == 2 {
                return self.check();
            }
            self.pass(6_000);
        }
        panic!("the devices and the hub do not come to rest");
    }

    fn exchange(&mut self) -> bool {
        let mut moved = self.answer(false);
        self.drain();
        for at in 0..DEVICES {
            moved |= self.carry_up(at, usize::MAX);
            self.drain();
            moved |= self.carry_down(at, usize::MAX);
            self.drain();
        }
        moved
    }

    fn check(&self) {
        let hub = self.store.states(&scope());
        for (at, device) in self.devices.iter().enumerate() {
            assert_eq!(device.store.states(&scope()), hub, "of device {at} and the hub");
        }
    }
}
