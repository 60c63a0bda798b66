//! Machines whose other side is the test itself, message by message.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use pocketsync_core::clock::Now;
use pocketsync_core::hub::{ConnId, Hub, HubConfig, HubOutput};
use pocketsync_core::id::SiteId;
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::session::{
    Admitted, Deadline, Event, Output, RequestId, Rights, Session, SessionConfig, SessionEnd,
};
use pocketsync_core::store::{Holding, MemoryStore, Store, StoreError, StoreErrorKind, StoreRequest};
use pocketsync_core::wire::frame::{self, Assembler};
use pocketsync_core::wire::{Hello, Message, PROTOCOL, Welcome, WireError};

use super::{WALL, scope, site};

pub fn hello(from: SiteId, lineage: Lineage) -> Hello {
    Hello {
        protocol: PROTOCOL,
        min_protocol: 1,
        scope: scope(),
        token: None,
        site: from,
        lineage,
        head: Cursor::ZERO,
        holdings: Vec::new(),
        max_frame_bytes: 1 << 20,
        window_bytes: 1 << 20,
        compression: false,
        wall_ms: WALL,
    }
}

/// What somebody who holds nothing of `of` answers it.
pub fn welcome(from: SiteId, of: SiteId) -> Welcome {
    Welcome {
        protocol: PROTOCOL,
        site: from,
        lineage: Lineage::default(),
        head: Cursor::ZERO,
        holding: Holding::none(of),
        resumes: Cursor::ZERO,
        max_frame_bytes: 1 << 20,
        window_bytes: 1 << 20,
        compression: false,
        wall_ms: WALL,
        max_drift_ms: 300_000,
        keeps_time: true,
    }
}

/// A hub whose store answers at once, unless it is held.
pub struct HubRig {
    pub hub: Hub,
    pub store: MemoryStore,
    pub now: Now,
    pub held: Option<VecDeque<(RequestId, StoreRequest)>>,
    pub fails: bool,
    pub rights: Rights,
    pub write_tables: Option<Vec<&'static str>>,
    pub identity: &'static str,
    /// Everybody is let in as the same.
    pub anybody: bool,
    pub verdict: Option<WireError>,
    pub said: BTreeMap<ConnId, Vec<Message>>,
    pub closed: BTreeMap<ConnId, SessionEnd>,
    pub frames: BTreeMap<ConnId, Vec<Bytes>>,
    pub reads: bool,
    pub events: Vec<(ConnId, Event)>,
    pub deadline: Option<Deadline>,
    assemblers: BTreeMap<ConnId, Assembler>,
}

impl HubRig {
    pub fn new(config: HubConfig) -> Self {
        let now = Now { mono: Duration::from_secs(1), wall_ms: WALL };
        HubRig {
            hub: Hub::new(config, now),
            store: MemoryStore::hub(site(200), Stamp(1)),
            now,
            held: None,
            fails: false,
            rights: Rights::ALL,
            write_tables: None,
            identity: "test",
            anybody: false,
            verdict: None,
            said: BTreeMap::new(),
            closed: BTreeMap::new(),
            frames: BTreeMap::new(),
            reads: true,
            events: Vec::new(),
            deadline: None,
            assemblers: BTreeMap::new(),
        }
    }

    pub fn open(&mut self) -> ConnId {
        let conn = self.hub.open(self.now, 1 << 20);
        self.pump();
        conn
    }

    pub fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall_ms += time.as_millis() as u64;
        self.hub.handle_timeout(self.now);
        self.pump();
    }

    /// Says something on a connection, and returns what comes back on it.
    pub fn say(&mut self, conn: ConnId, message: &Message) -> Vec<Message> {
        for frame in frame::cut(message, 1 << 20) {
            self.frame(conn, frame);
        }
        self.heard(conn)
    }

    pub fn frame(&mut self, conn: ConnId, frame: Bytes) {
        self.hub.handle_frame(self.now, conn, frame);
        self.pump();
    }

    /// What came on a connection since the last time.
    pub fn heard(&mut self, conn: ConnId) -> Vec<Message> {
        self.said.remove(&conn).unwrap_or_default()
    }

    /// A connection of a device whose handshake is done, and who has heard the first push.
    pub fn join(&mut self, from: SiteId, lineage: Lineage) -> ConnId {
        self.join_with(hello(from, lineage))
    }

    /// The same for one that introduces itself so.
    pub fn join_with(&mut self, hello: Hello) -> ConnId {
        let conn = self.open();
        let heard = self.say(conn, &Message::Hello(hello));
        assert!(matches!(heard[0], Message::Welcome(_)), "{heard:?}");
        for message in &heard[1..] {
            if let Message::Push(push) = message {
                let ack = pocketsync_core::wire::Ack { cursor: push.to.clone() };
                self.say(conn, &Message::Ack(ack));
            }
        }
        conn
    }

    /// Lets the store answer what it was asked while it was held.
    pub fn release(&mut self) {
        let held = self.held.take().unwrap_or_default();
        for (id, request) in held {
            self.answer(id, request);
        }
        self.pump();
    }

    fn answer(&mut self, id: RequestId, request: StoreRequest) {
        let reply = if self.fails {
            Err(StoreError::new(StoreErrorKind::Io, "the disk is gone"))
        } else {
            self.store.run(request)
        };
        self.hub.handle_store(self.now, id, reply);
    }

    fn pump(&mut self) {
        loop {
            match self.hub.poll_output() {
                HubOutput::Transmit { conn, frame } => {
                    self.frames.entry(conn).or_default().push(frame.clone());
                    if self.reads {
                        self.hub.handle_sent(self.now, conn, frame.len());
                    }
                    let assembler = self.assemblers.entry(conn).or_insert_with(|| Assembler::new(64 << 20));
                    if let Some(message) = assembler.push(frame).unwrap() {
                        self.said.entry(conn).or_default().push(message);
                    }
                }
                HubOutput::Store { id, request } => match &mut self.held {
                    Some(held) => held.push_back((id, request)),
                    None => self.answer(id, request),
                },
                HubOutput::Admit { conn, .. } => {
                    let mut admitted = Admitted::new(self.identity, self.rights);
                    admitted.binds_site = !self.anybody;
                    if let Some(tables) = &self.write_tables {
                        admitted = admitted.writing(tables.iter().copied());
                    }
                    let verdict = self.verdict.clone().map_or(Ok(admitted), Err);
                    self.hub.handle_admission(self.now, conn, verdict);
                }
                HubOutput::Event { conn, event } => self.events.push((conn, event)),
                HubOutput::Closed { conn, end } => {
                    self.closed.insert(conn, end);
                }
                HubOutput::Wait(deadline) => {
                    self.deadline = Some(deadline);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A device's session whose store answers at once.
pub struct SessionRig {
    pub session: Session,
    pub store: MemoryStore,
    pub now: Now,
    pub said: Vec<Message>,
    pub events: Vec<Event>,
    pub closed: Option<SessionEnd>,
    pub requests: Vec<StoreRequest>,
    /// What the store was asked and does not answer.
    pub held: Option<VecDeque<(RequestId, StoreRequest)>>,
    assembler: Assembler,
}

impl SessionRig {
    pub fn connect(store: MemoryStore) -> Self {
        SessionRig::connect_at(store, Now { mono: Duration::from_secs(1), wall_ms: WALL })
    }

    pub fn connect_at(store: MemoryStore, now: Now) -> Self {
        SessionRig::run(Session::connect(SessionConfig::new(scope()), now), store, now)
    }

    pub fn accept(store: MemoryStore) -> Self {
        let now = Now { mono: Duration::from_secs(1), wall_ms: WALL };
        let session = Session::accept(SessionConfig::new(scope()), now);
        SessionRig::run(session, store, now)
    }

    pub fn run(session: Session, store: MemoryStore, now: Now) -> Self {
        let mut rig = SessionRig {
            session,
            store,
            now,
            said: Vec::new(),
            events: Vec::new(),
            closed: None,
            requests: Vec::new(),
            held: None,
            assembler: Assembler::new(64 << 20),
        };
        rig.pump();
        rig
    }

    /// Lets the store answer what it was asked while it was held.
    pub fn release(&mut self) {
        for (id, request) in self.held.take().unwrap_or_default() {
            self.answer(id, request);
        }
        self.pump();
    }

    fn answer(&mut self, id: RequestId, request: StoreRequest) {
        let reply = self.store.run(request);
        self.session.handle_store(self.now, id, reply);
    }

    pub fn say(&mut self, message: &Message) -> Vec<Message> {
        for frame in frame::cut(message, 256) {
            self.session.handle_frame(self.now, frame);
            self.pump();
        }
        std::mem::take(&mut self.said)
    }

    pub fn input(&mut self, input: impl FnOnce(&mut Session, Now)) -> Vec<Message> {
        input(&mut self.session, self.now);
        self.pump();
        std::mem::take(&mut self.said)
    }

    fn pump(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Transmit(frame) => {
                    if let Some(message) = self.assembler.push(frame).unwrap() {
                        self.said.push(message);
                    }
                }
                Output::Store(id, request) => {
                    self.requests.push(request.clone());
                    match &mut self.held {
                        Some(held) => held.push_back((id, request)),
                        None => self.answer(id, request),
                    }
                }
                Output::Admit(_) => {
                    let admitted = Admitted::new("test", Rights::ALL);
                    self.session.handle_admission(self.now, Ok(admitted));
                }
                Output::Event(event) => self.events.push(event),
                Output::Wait(_) => return,
                Output::Closed(end) => {
                    self.closed = Some(end);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
