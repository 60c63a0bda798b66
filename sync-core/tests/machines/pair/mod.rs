//! Devices, a hub and the links between them in virtual time: real machines, real stores in memory,
//! one seeded order of events. The same seed gives the same run.
#![allow(unreachable_pub)]

mod device;
mod hub_node;
pub mod met;
mod oracle;
mod rig;
mod rng;
pub mod talk;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use pocketsync_core::clock::Now;
use pocketsync_core::hub::{ConnId, HubConfig};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::RequestId;
use pocketsync_core::store::{MemoryStore, StoreError, StoreReply, StoreRequest};

pub use device::Device;
pub use hub_node::HubNode;
pub use rig::{HubRig, SessionRig, hello, welcome};
pub use rng::Rng;

pub const WALL: u64 = 1_700_000_000_000;

pub fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

pub fn site(n: u8) -> SiteId {
    SiteId::from_bytes([n; 16])
}

/// One end of a link, or something that runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Node {
    Hub,
    Device(usize),
}

pub type LinkId = u64;

/// How the network behaves.
#[derive(Clone, Debug)]
pub struct Net {
    pub latency_ms: u64,
    pub jitter_ms: u64,
    /// The time between a store's commit and the machine hearing of it, and before the commit.
    pub store_ms: u64,
    pub max_frame_bytes: usize,
    /// Every link is lost after this many frames.
    pub frames_per_link: Option<u64>,
    pub reconnect_ms: u64,
}

impl Default for Net {
    fn default() -> Self {
        Net {
            latency_ms: 20,
            jitter_ms: 10,
            store_ms: 1,
            max_frame_bytes: 64 << 10,
            frames_per_link: None,
            reconnect_ms: 100,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Link {
    ends: [Node; 2],
    /// The hub's name for it.
    conn: Option<ConnId>,
    /// When the last frame arrives, for each end: order is kept.
    arrived: [Duration; 2],
    pub frames: u64,
    up: bool,
    /// Which run of the hub it leads to.
    hub_run: u64,
}

/// What is to happen.
#[derive(Debug)]
enum Happening {
    Frame {
        link: LinkId,
        to: Node,
        frame: Bytes,
    },
    Lost {
        link: LinkId,
        at: Node,
    },
    StoreRuns {
        node: Node,
        run: u64,
        link: Option<LinkId>,
        id: RequestId,
        request: Box<StoreRequest>,
    },
    StoreReplies {
        node: Node,
        run: u64,
        link: Option<LinkId>,
        id: RequestId,
        reply: Box<Result<StoreReply, StoreError>>,
    },
    Connect {
        device: usize,
        run: u64,
    },
    Timer {
        node: Node,
        run: u64,
    },
}

/// Everything there is.
pub struct World {
    pub time: Duration,
    pub net: Net,
    pub rng: Rng,
    pub hub: HubNode,
    pub devices: Vec<Device>,
    pub links: BTreeMap<LinkId, Link>,
    queue: BTreeMap<(Duration, u64), Happening>,
    next: u64,
    stamps: u64,
    pub steps: u64,
    /// Requests that fail, from now on.
    pub hub_store_fails: bool,
}

impl World {
    pub fn new(devices: usize, seed: u64, net: Net) -> World {
        World::with_hub(devices, seed, net, HubConfig::default())
    }

    pub fn with_hub(devices: usize, seed: u64, net: Net, config: HubConfig) -> World {
        let mut world = World {
            time: Duration::from_secs(1),
            net,
            rng: Rng(seed),
            hub: HubNode::new(MemoryStore::hub(site(200), Stamp(1)), config),
            devices: Vec::new(),
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            next: 0,
            stamps: 1,
            steps: 0,
            hub_store_fails: false,
        };
        for n in 0..devices {
            let store = MemoryStore::device(site(n as u8 + 1), world.stamp());
            world.devices.push(Device::new(store));
            world.schedule(Duration::ZERO, Happening::Connect { device: n, run: 0 });
        }
        world
    }

    /// A stamp that no other opening has.
    pub fn stamp(&mut self) -> Stamp {
        self.stamps += 1;
        Stamp(self.stamps)
    }

    pub fn now(&self, node: Node) -> Now {
        let skew_ms = match node {
            Node::Hub => self.hub.skew_ms,
            Node::Device(n) => self.devices[n].skew_ms,
        };
        let wall_ms = (WALL + self.time.as_millis() as u64).saturating_add_signed(skew_ms);
        Now { mono: self.time, wall_ms }
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.next += 1;
        self.queue.insert((self.time + after, self.next), happening);
    }

    /// Lets the next thing happen. Says whether there was one.
    pub fn step(&mut self) -> bool {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return false };
        self.time = self.time.max(at);
        self.steps += 1;
        match happening {
            Happening::Frame { link, to, frame } => self.deliver(link, to, frame),
            Happening::Lost { link, at } => self.lost(link, at),
            Happening::StoreRuns { node, run, link, id, request } => {
                if self.run_of(node) == run {
                    let reply = Box::new(self.run_store(node, *request));
                    let happening = Happening::StoreReplies { node, run, link, id, reply };
                    self.schedule(Duration::from_millis(self.net.store_ms), happening);
                }
            }
            Happening::StoreReplies { node, run, link, id, reply } => {
                if self.run_of(node) == run {
                    self.store_replied(node, link, id, *reply);
                }
            }
            Happening::Connect { device, run } => {
                if self.devices[device].run == run && self.devices[device].online {
                    self.connect(device);
                }
            }
            Happening::Timer { node, run } => {
                if self.run_of(node) == run {
                    self.timer(node);
                }
            }
        }
        true
    }

    fn run_of(&self, node: Node) -> u64 {
        match node {
            Node::Hub => self.hub.run,
            Node::Device(n) => self.devices[n].run,
        }
    }

    fn run_store(&mut self, node: Node, request: StoreRequest) -> Result<StoreReply, StoreError> {
        use pocketsync_core::store::{Store, StoreErrorKind};
        match node {
            Node::Hub if self.hub_store_fails => Err(StoreError::new(StoreErrorKind::Io, "the disk is gone")),
            Node::Hub => {
                if let StoreRequest::Apply { chunks, .. } = &request {
                    self.hub.groups.push(chunks.len());
                }
                self.hub.store.run(request)
            }
            Node::Device(n) => {
                if let StoreRequest::Extract { .. } = &request {
                    self.devices[n].extracts += 1;
                }
                let reply = self.devices[n].store.run(request);
                self.devices[n].early += u64::from(matches!(&reply, Ok(StoreReply::Early(Some(_)))));
                reply
            }
        }
    }

    fn store_later(&mut self, node: Node, link: Option<LinkId>, id: RequestId, request: StoreRequest) {
        let run = self.run_of(node);
        let after = Duration::from_millis(self.net.store_ms);
        self.schedule(after, Happening::StoreRuns { node, run, link, id, request: Box::new(request) });
    }

    fn timer_at(&mut self, node: Node, at: Duration) {
        let run = self.run_of(node);
        self.schedule(at.saturating_sub(self.time), Happening::Timer { node, run });
    }

    fn new_link(&mut self, ends: [Node; 2], conn: Option<ConnId>) -> LinkId {
        self.next += 1;
        let hub_run = self.hub.run;
        let link = Link { ends, conn, arrived: [self.time; 2], frames: 0, up: true, hub_run };
        self.links.insert(self.next, link);
        self.next
    }

    /// Puts a frame on a link.
    fn transmit(&mut self, id: LinkId, from: Node, frame: Bytes) {
        let jitter = self.rng.below(self.net.jitter_ms + 1);
        let delay = Duration::from_millis(self.net.latency_ms + jitter);
        let Some(link) = self.links.get_mut(&id).filter(|link| link.up) else { return };
        let far = usize::from(link.ends[0] == from);
        let at = (self.time + delay).max(link.arrived[far]);
        link.arrived[far] = at;
        link.frames += 1;
        let (to, full) = (link.ends[far], self.net.frames_per_link.is_some_and(|limit| link.frames >= limit));
        self.schedule(at - self.time, Happening::Frame { link: id, to, frame });
        if full {
            self.cut_after(id, at - self.time);
        }
    }

    fn deliver(&mut self, id: LinkId, to: Node, frame: Bytes) {
        let Some(link) = self.links.get(&id).filter(|link| link.up) else { return };
        match to {
            Node::Hub => {
                let conn = link.conn.expect("a link to the hub has a connection");
                self.hub_frame(conn, frame);
            }
            Node::Device(n) => self.device_frame(n, id, frame),
        }
    }

    /// Cuts a link: what is under way is lost, and both ends notice after a while.
    pub fn cut(&mut self, id: LinkId) {
        self.cut_after(id, Duration::ZERO);
        if let Some(link) = self.links.get_mut(&id) {
            link.up = false;
        }
    }

    fn cut_after(&mut self, id: LinkId, after: Duration) {
        let Some(link) = self.links.get(&id) else { return };
        for at in link.ends {
            self.schedule(after + Duration::from_millis(1), Happening::Lost { link: id, at });
        }
    }

    fn lost(&mut self, id: LinkId, at: Node) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.up = false;
        let (conn, hub_run) = (link.conn, link.hub_run);
        match (at, conn) {
            (Node::Hub, Some(conn)) if hub_run == self.hub.run => self.hub_lost(conn),
            (Node::Hub, _) => {}
            (Node::Device(n), _) => self.device_lost(n, id),
        }
    }

    /// Kills a node and starts it again: what was not in its store is gone.
    pub fn crash(&mut self, node: Node) {
        let links: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.ends.contains(&node)).map(|(id, _)| *id).collect();
        let stamp = self.stamp();
        match node {
            Node::Hub => self.hub.restart(stamp),
            Node::Device(n) => self.devices[n].restart(stamp),
        }
        for id in links {
            self.cut(id);
        }
        if let Node::Device(device) = node {
            self.come_back(device);
        }
    }

    /// Whether only timers are left to happen.
    pub fn is_quiet(&self) -> bool {
        self.queue.values().all(|happening| matches!(happening, Happening::Timer { .. }))
    }

    /// Runs until `done`, which is asked when nothing is under way.
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut World) -> bool) {
        let end = self.time + Duration::from_secs(600);
        loop {
            if self.is_quiet() && done(self) {
                return;
            }
            assert!(self.step(), "nothing left to happen before {what}");
            assert!(self.time < end, "{what} takes too long; {}", self.describe());
        }
    }

    /// Runs for a while.
    pub fn run_for(&mut self, ms: u64) {
        let end = self.time + Duration::from_millis(ms);
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= end) {
            self.step();
        }
        self.time = end;
    }

    /// Runs until everyone who is online is connected and holds the same.
    pub fn settle(&mut self) {
        self.run_until("convergence", |world| world.is_converged());
        self.assert_consistent();
    }
}
