//! A device: a store that outlives it, and a session for each link.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{
    Admitted, Event, Output, RequestId, Rights, Session, SessionConfig, SessionEnd,
};
use pocketsync_core::store::{MemoryStore, StoreError, StoreReply, Transaction};

use super::{Happening, LinkId, Node, World, scope};

pub struct Device {
    pub store: MemoryStore,
    pub sessions: BTreeMap<LinkId, Session>,
    pub online: bool,
    pub skew_ms: i64,
    pub run: u64,
    pub caught_up: bool,
    /// Whether the handshake of the session with the hub is done.
    pub live: bool,
    pub up_to_date: bool,
    pub events: Vec<Event>,
    pub ends: Vec<SessionEnd>,
    pub extracts: u64,
    /// How often it had something to say along with an introduction.
    pub early: u64,
    pub token: Option<String>,
    pub compression: bool,
    next_timer: Option<Duration>,
}

impl Device {
    pub fn new(store: MemoryStore) -> Self {
        Device {
            store,
            sessions: BTreeMap::new(),
            online: true,
            skew_ms: 0,
            run: 0,
            caught_up: false,
            live: false,
            up_to_date: false,
            events: Vec::new(),
            ends: Vec::new(),
            extracts: 0,
            early: 0,
            token: None,
            compression: true,
            next_timer: None,
        }
    }

    pub fn restart(&mut self, stamp: Stamp) {
        self.run += 1;
        self.sessions.clear();
        self.next_timer = None;
        self.disconnected();
        self.store.reopen(stamp);
    }

    fn disconnected(&mut self) {
        self.live = false;
        self.caught_up = false;
        self.up_to_date = false;
    }

    pub fn sent_rows(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Sent { bytes } if *bytes > 64)).count()
    }
}

impl World {
    /// Writes as the application does, and tells the sessions.
    pub fn write<T>(&mut self, n: usize, work: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let now = self.now(Node::Device(n));
        let device = &mut self.devices[n];
        let (_, answer) = device.store.write(&scope(), now.wall_ms, work);
        device.up_to_date = false;
        let links: Vec<LinkId> = device.sessions.keys().copied().collect();
        for link in links {
            self.with_session(n, link, |session, now| session.local_changed(now));
        }
        answer
    }

    pub(super) fn connect(&mut self, n: usize) {
        if self.devices[n].sessions.keys().any(|link| self.links[link].conn.is_some()) {
            return;
        }
        let conn = self.hub_open();
        let link = self.new_link([Node::Device(n), Node::Hub], Some(conn));
        let config = self.config_of(n);
        let session = Session::connect(config, self.now(Node::Device(n)));
        self.devices[n].sessions.insert(link, session);
        self.pump_device(n, link);
        self.pump_hub();
    }

    /// Links two devices without the hub; the first connects.
    pub fn link(&mut self, a: usize, b: usize) -> LinkId {
        let link = self.new_link([Node::Device(a), Node::Device(b)], None);
        let acceptor = Session::accept(self.config_of(b), self.now(Node::Device(b)));
        let initiator = Session::connect(self.config_of(a), self.now(Node::Device(a)));
        self.devices[a].sessions.insert(link, initiator);
        self.devices[b].sessions.insert(link, acceptor);
        self.pump_device(b, link);
        self.pump_device(a, link);
        link
    }

    fn config_of(&self, n: usize) -> SessionConfig {
        let mut config = SessionConfig::new(scope());
        config.max_frame_bytes = self.net.max_frame_bytes;
        config.token = self.devices[n].token.clone();
        config.compression = self.devices[n].compression;
        config
    }

    pub fn go_offline(&mut self, n: usize) {
        self.devices[n].online = false;
        let links: Vec<LinkId> = self.devices[n].sessions.keys().copied().collect();
        for link in links {
            self.cut(link);
        }
    }

    pub fn go_online(&mut self, n: usize) {
        self.devices[n].online = true;
        self.come_back(n);
    }

    pub(super) fn come_back(&mut self, device: usize) {
        let after = Duration::from_millis(self.net.reconnect_ms + self.rng.below(20));
        let run = self.devices[device].run;
        self.schedule(after, Happening::Connect { device, run });
    }

    pub(super) fn device_frame(&mut self, n: usize, link: LinkId, frame: Bytes) {
        self.with_session(n, link, |session, now| session.handle_frame(now, frame));
    }

    pub(super) fn device_lost(&mut self, n: usize, link: LinkId) {
        self.with_session(n, link, |session, now| session.handle_lost(now, "cut"));
    }

    pub(super) fn device_timer(&mut self, n: usize) {
        self.devices[n].next_timer = None;
        let links: Vec<LinkId> = self.devices[n].sessions.keys().copied().collect();
        for link in links {
            self.with_session(n, link, |session, now| session.handle_timeout(now));
        }
    }

    pub(super) fn device_store(
        &mut self,
        n: usize,
        link: LinkId,
        id: RequestId,
        reply: Result<StoreReply, StoreError>,
    ) {
        self.with_session(n, link, |session, now| session.handle_store(now, id, reply));
    }

    pub fn with_session(
        &mut self,
        n: usize,
        link: LinkId,
        input: impl FnOnce(&mut Session, pocketsync_core::clock::Now),
    ) {
        let now = self.now(Node::Device(n));
        if let Some(session) = self.devices[n].sessions.get_mut(&link) {
            input(session, now);
            self.pump_device(n, link);
        }
    }

    fn pump_device(&mut self, n: usize, link: LinkId) {
        loop {
            let now = self.now(Node::Device(n));
            let Some(session) = self.devices[n].sessions.get_mut(&link) else { return };
            match session.poll_output() {
                Output::Transmit(frame) => self.transmit(link, Node::Device(n), frame),
                Output::Store(id, request) => self.store_later(Node::Device(n), Some(link), id, request),
                Output::Admit(_) => {
                    let admitted = Admitted::new("peer", Rights::ALL);
                    session.handle_admission(now, Ok(admitted));
                }
                Output::Event(event) => self.device_event(n, link, event),
                Output::Wait(deadline) => {
                    let device = &mut self.devices[n];
                    if let Some(at) = deadline.at
                        && device.next_timer.is_none_or(|next| at < next)
                    {
                        device.next_timer = Some(at);
                        self.timer_at(Node::Device(n), at);
                    }
                    return;
                }
                Output::Closed(end) => {
                    self.devices[n].sessions.remove(&link);
                    if matches!(end, SessionEnd::Forked { .. }) {
                        let others: Vec<LinkId> = self.devices[n].sessions.keys().copied().collect();
                        others.into_iter().for_each(|other| self.device_lost(n, other));
                    }
                    self.devices[n].ends.push(end);
                    self.cut(link);
                    if self.links[&link].conn.is_some() {
                        self.devices[n].disconnected();
                        self.come_back(n);
                    }
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn device_event(&mut self, n: usize, link: LinkId, event: Event) {
        let with_hub = self.links[&link].conn.is_some();
        let device = &mut self.devices[n];
        match &event {
            Event::Connected { .. } if with_hub => device.live = true,
            Event::CaughtUp if with_hub => {
                device.caught_up = true;
                self.assert_whole_transactions(n);
            }
            Event::CatchingUp if with_hub => device.caught_up = false,
            Event::UpToDate if with_hub => device.up_to_date = true,
            Event::Applied(_) => {
                let others: Vec<LinkId> = device.sessions.keys().copied().filter(|id| *id != link).collect();
                for other in others {
                    self.with_session(n, other, |session, now| session.local_changed(now));
                }
                if self.devices[n].caught_up {
                    self.assert_whole_transactions(n);
                }
            }
            _ => {}
        }
        self.devices[n].events.push(event);
    }
}
