//! The hub: a store that outlives it, and the machine.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use pocketsync_core::admission::{Admission, Open, SharedToken};
use pocketsync_core::clock::Now;
use pocketsync_core::hub::{ConnId, Hub, HubConfig, HubOutput};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{Event, RequestId, SessionEnd};
use pocketsync_core::store::{MemoryStore, StoreError, StoreReply};

use super::{LinkId, Node, World};

pub struct HubNode {
    pub store: MemoryStore,
    pub hub: Hub,
    pub config: HubConfig,
    pub skew_ms: i64,
    pub run: u64,
    pub ends: Vec<SessionEnd>,
    pub events: Vec<Event>,
    /// How many chunks each merge had.
    pub groups: Vec<usize>,
    pub token: Option<SharedToken>,
    next_timer: Option<Duration>,
}

impl HubNode {
    pub fn new(store: MemoryStore, config: HubConfig) -> Self {
        HubNode {
            store,
            hub: Hub::new(config.clone(), Now::default()),
            config,
            skew_ms: 0,
            run: 0,
            ends: Vec::new(),
            events: Vec::new(),
            groups: Vec::new(),
            token: None,
            next_timer: None,
        }
    }

    pub fn restart(&mut self, stamp: Stamp) {
        self.run += 1;
        self.hub = Hub::new(self.config.clone(), Now::default());
        self.next_timer = None;
        self.store.reopen(stamp);
    }
}

impl World {
    pub(super) fn hub_open(&mut self) -> ConnId {
        let now = self.now(Node::Hub);
        self.hub.hub.open(now, self.net.max_frame_bytes)
    }

    pub(super) fn hub_frame(&mut self, conn: ConnId, frame: Bytes) {
        let now = self.now(Node::Hub);
        self.hub.hub.handle_frame(now, conn, frame);
        self.pump_hub();
    }

    pub(super) fn hub_lost(&mut self, conn: ConnId) {
        let now = self.now(Node::Hub);
        self.hub.hub.handle_lost(now, conn, "cut");
        self.pump_hub();
    }

    pub(super) fn timer(&mut self, node: Node) {
        match node {
            Node::Hub => {
                self.hub.next_timer = None;
                let now = self.now(Node::Hub);
                self.hub.hub.handle_timeout(now);
                self.pump_hub();
            }
            Node::Device(n) => self.device_timer(n),
        }
    }

    pub(super) fn store_replied(
        &mut self,
        node: Node,
        link: Option<LinkId>,
        id: RequestId,
        reply: Result<StoreReply, StoreError>,
    ) {
        match (node, link) {
            (Node::Hub, _) => {
                let now = self.now(Node::Hub);
                self.hub.hub.handle_store(now, id, reply);
                self.pump_hub();
            }
            (Node::Device(n), Some(link)) => self.device_store(n, link, id, reply),
            (Node::Device(_), None) => unreachable!("a device asks for a session"),
        }
    }

    pub(super) fn pump_hub(&mut self) {
        loop {
            let now = self.now(Node::Hub);
            match self.hub.hub.poll_output() {
                HubOutput::Transmit { conn, frame } => {
                    self.hub.hub.handle_sent(now, conn, frame.len());
                    if let Some(link) = self.link_of(conn) {
                        self.transmit(link, Node::Hub, frame);
                    }
                }
                HubOutput::Store { id, request } => self.store_later(Node::Hub, None, id, request),
                HubOutput::Admit { conn, request } => {
                    let verdict = match &self.hub.token {
                        Some(token) => token.admit(&request).now_or_never(),
                        None => Open.admit(&request).now_or_never(),
                    };
                    let verdict = verdict.expect("ready-made admissions do not wait");
                    self.hub.hub.handle_admission(now, conn, verdict);
                }
                HubOutput::Event { event, .. } => self.hub.events.push(event),
                HubOutput::Closed { conn, end } => {
                    self.hub.ends.push(end);
                    // What was sent before still arrives.
                    if let Some(link) = self.link_of(conn) {
                        let after = Duration::from_millis(self.net.latency_ms + self.net.jitter_ms + 1);
                        self.cut_after(link, after);
                    }
                }
                HubOutput::Wait(deadline) => {
                    if let Some(at) = deadline.at
                        && self.hub.next_timer.is_none_or(|next| at < next)
                    {
                        self.hub.next_timer = Some(at);
                        self.timer_at(Node::Hub, at);
                    }
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn link_of(&self, conn: ConnId) -> Option<LinkId> {
        let mut links = self.links.iter().rev();
        links
            .find(|(_, link)| link.up && link.conn == Some(conn) && link.hub_run == self.hub.run)
            .map(|(id, _)| *id)
    }
}
