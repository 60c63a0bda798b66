//! The hub: a store that outlives it, and the machine.

use std::collections::BTreeMap;

use pocketsync_core::hub::{ConnId, Hub, HubConfig, HubOutput};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{Admitted, RequestId, Rights};
use pocketsync_core::store::{ChunkOutcome, Mark, MemoryStore, StoreReply, StoreRequest};

use super::device::{Phase, true_now};
use super::draw::{Draw, Purpose};
use super::fleet::Fleet;
use super::parts::Between;
use super::queue::Happening;
use super::wire::Way;
use crate::history::{Event, Fault};
use crate::story::{CrashPoint, Ms};

/// The owner of the hub's own random numbers.
const OWNER: u64 = u64::MAX;

/// The hub.
pub(super) struct HubNode {
    pub(super) store: MemoryStore,
    between: Box<dyn Between>,
    pub(super) image: Option<(Ms, MemoryStore)>,
    pub(super) machine: Hub,
    config: HubConfig,
    pub(super) site: SiteId,
    pub(super) runs: bool,
    pub(super) run: u32,
    pub(super) crash: Option<(CrashPoint, Ms)>,
    /// Which device and link a connection leads to, while frames find their way.
    pub(super) conns: BTreeMap<ConnId, (usize, u32)>,
    /// When the store has answered everything that it was asked about a scope.
    free_at: BTreeMap<Scope, Ms>,
    /// What waits to be sent, by connection.
    pub(super) queued: BTreeMap<ConnId, usize>,
    /// The most that has waited for one connection since the last look.
    pub(super) queued_max: usize,
    timer_at: Option<Ms>,
    draw: Draw,
    openings: u64,
}

impl HubNode {
    pub(super) fn new(seed: u64, devices: usize, between: Box<dyn Between>) -> Self {
        let mut config = HubConfig::default();
        // Room for everyone, with connections that were lost and not yet given up.
        config.max_connections = config.max_connections.max(devices.saturating_mul(4));
        let sessions = devices.saturating_mul(2);
        config.max_sessions_per_scope = config.max_sessions_per_scope.max(sessions);
        config.max_sessions_per_identity = config.max_sessions_per_identity.max(sessions);
        let mut site = [0; 16];
        let mut draw = Draw::new(seed, Purpose::Site, OWNER, 0);
        site[..8].copy_from_slice(&draw.next().to_le_bytes());
        site[8..].copy_from_slice(&draw.next().to_le_bytes());
        let site = SiteId::from_bytes(site);
        HubNode {
            store: MemoryStore::hub(site, stamp(seed, 0)),
            between,
            image: None,
            machine: Hub::new(config.clone(), true_now(0)),
            config,
            site,
            runs: true,
            run: 0,
            crash: None,
            conns: BTreeMap::new(),
            free_at: BTreeMap::new(),
            queued: BTreeMap::new(),
            queued_max: 0,
            timer_at: None,
            draw: Draw::new(seed, Purpose::Store, OWNER, 0),
            openings: 0,
        }
    }

    /// The most that may wait for one connection: what the hub allows besides the window, the
    /// window, and the frame that was one too many.
    pub(super) fn queue_bound(&self) -> u64 {
        let session = &self.config.session;
        let most = self.config.max_queued_bytes + session.window_bytes + 2 * session.chunk_bytes;
        (most + session.max_frame_bytes) as u64
    }
}

fn stamp(seed: u64, opening: u64) -> Stamp {
    Stamp(Draw::new(seed, Purpose::Stamp, OWNER, opening).next().max(1))
}

impl Fleet<'_> {
    /// The hub's process is killed, and starts again after `down_ms`.
    pub(super) fn crash_hub(&mut self, down_ms: Ms) {
        self.saw(&Event::Fault(Fault::HubCrashed));
        self.hub.runs = false;
        self.hub.run += 1;
        self.hub.crash = None;
        self.hub.conns.clear();
        self.hub.queued.clear();
        self.hub.free_at.clear();
        self.hub.timer_at = None;
        self.hub.machine = Hub::new(self.hub.config.clone(), true_now(self.now));
        for number in 0..self.devices.len() {
            let (now, links) = (self.now, self.devices[number].links);
            if let Phase::Linked(link) = &mut self.devices[number].phase
                && !link.broken
            {
                let at = link.wire.end(now, Way::Down);
                self.tell_lost(number, links, at);
            }
        }
        let run = self.hub.run;
        self.queue.push(self.now + down_ms, Happening::HubRestart { run });
    }

    pub(super) fn restart_hub(&mut self) {
        self.hub.openings += 1;
        self.hub.runs = true;
        self.hub.between = self.parts.hub();
        self.hub.store.reopen(stamp(self.story.seed, self.hub.openings));
        self.saw(&Event::Fault(Fault::HubRestarted));
    }

    pub(super) fn hub_timer(&mut self) {
        if self.hub.timer_at != Some(self.now) {
            // An earlier one was set after this one, and has seen to what comes next.
            return;
        }
        self.hub.timer_at = None;
        self.hub.machine.handle_timeout(true_now(self.now));
        self.pump_hub();
    }

    /// Takes all outputs of the hub, as its contract demands after every input.
    pub(super) fn pump_hub(&mut self) {
        loop {
            match self.hub.machine.poll_output() {
                HubOutput::Transmit { conn, frame } => self.send_down(conn, frame),
                HubOutput::Store { id, request } => {
                    let there = self.ask_hub_store(id, request);
                    if !there {
                        return;
                    }
                }
                HubOutput::Admit { conn, .. } => {
                    let admitted = Admitted::new("device", Rights::ALL);
                    self.hub.machine.handle_admission(true_now(self.now), conn, Ok(admitted));
                }
                HubOutput::Closed { conn, .. } => {
                    self.hub.queued.remove(&conn);
                    if let Some((device, number)) = self.hub.conns.remove(&conn) {
                        let now = self.now;
                        if let Some(link) = self.devices[device].link(number) {
                            // What was sent before still arrives.
                            let at = link.wire.end(now, Way::Down);
                            self.tell_lost(device, number, at);
                        }
                    }
                }
                HubOutput::Wait(deadline) => {
                    if let Some(at) = deadline.at.map(|at| at.as_millis() as Ms)
                        && self.hub.timer_at.is_none_or(|timer| at < timer)
                    {
                        let at = at.max(self.now);
                        self.hub.timer_at = Some(at);
                        self.queue.push(at, Happening::HubTimer { run: self.hub.run });
                    }
                    return;
                }
                // Only for whoever watches sessions.
                _ => {}
            }
        }
    }

    /// Does what the hub wants of its store at once, and lets the answer take its time. Says whether
    /// the hub is still there.
    fn ask_hub_store(&mut self, id: RequestId, request: StoreRequest) -> bool {
        if let Some((CrashPoint::BeforeCommit, down_ms)) = self.hub.crash {
            self.crash_hub(down_ms);
            return false;
        }
        let scope = request.scope().clone();
        let peers: Vec<SiteId> = match &request {
            StoreRequest::Apply { chunks, .. } => chunks.iter().map(|chunk| chunk.peer).collect(),
            _ => Vec::new(),
        };
        let reply = self.hub.between.run(&mut self.hub.store, request);
        if let Ok(StoreReply::Applied(outcomes)) = &reply {
            self.hub_holds(&scope, &peers, outcomes);
        }
        if let Some((_, down_ms)) = self.hub.crash {
            self.crash_hub(down_ms);
            return false;
        }
        let takes = self.hub.draw.skewed(1, 8);
        let free_at = self.hub.free_at.entry(scope).or_default();
        *free_at = (*free_at).max(self.now + takes);
        let happening = Happening::HubReplied { run: self.hub.run, id, reply: Box::new(reply) };
        self.under_way += 1;
        self.queue.push(*free_at, happening);
        true
    }

    fn hub_holds(&mut self, scope: &Scope, peers: &[SiteId], outcomes: &[ChunkOutcome]) {
        let number = self.scope_number(scope);
        for (index, (of, outcome)) in peers.iter().zip(outcomes).enumerate() {
            let (ChunkOutcome::Staged { held } | ChunkOutcome::Applied { held, .. }) = outcome else {
                continue;
            };
            // Of several pieces of one log only the last tells something.
            if peers.get(index + 1) != Some(of) {
                let (of, stamp, seq) = (*of.as_bytes(), held.stamp.0, Mark::of(held).base);
                self.saw(&Event::Holds { device: None, scope: number, of, stamp, seq });
            }
        }
        let head = self.hub.store.head(scope).seq;
        let site = *self.hub.site.as_bytes();
        self.saw(&Event::Position { device: None, scope: number, site, seq: head });
    }
}
