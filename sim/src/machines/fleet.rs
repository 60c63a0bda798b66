//! Everyone, and the loop in which everything happens.

use pocketsync_core::id::Scope;

use super::device::{Device, Phase, true_now};
use super::hub::HubNode;
use super::parts::Parts;
use super::queue::{Happening, Queue};
use crate::engine::EngineError;
use crate::history::{Event, Fault, Phase as LookPhase};
use crate::model::begins_with_rows;
use crate::oracle::Judge;
use crate::shape::Shape;
use crate::story::{DeviceNo, Move, Ms, Story};

/// How often it is asked in the quiet period whether everything is exchanged.
const SETTLE_CHECK_MS: Ms = 1_000;

/// Everyone.
pub(super) struct Fleet<'a> {
    pub(super) shape: &'a Shape,
    pub(super) story: &'a Story,
    pub(super) judge: &'a mut Judge,
    pub(super) parts: &'a dyn Parts,
    pub(super) now: Ms,
    pub(super) queue: Queue,
    pub(super) devices: Vec<Device>,
    pub(super) hub: HubNode,
    /// The devices of each scope, by the scope's number.
    pub(super) scopes: Vec<Vec<usize>>,
    /// The scope that is looked at next.
    pub(super) next_scope: usize,
    /// Frames and store replies on their way, heartbeats left out.
    pub(super) under_way: u64,
    /// How many clients claim to be in sync.
    pub(super) live: usize,
    /// Whether the quiet period has begun.
    pub(super) quiet: bool,
    next_move: usize,
    done: bool,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(
        shape: &'a Shape,
        story: &'a Story,
        judge: &'a mut Judge,
        parts: &'a dyn Parts,
    ) -> Result<Self, EngineError> {
        if begins_with_rows(shape) {
            let what = "the schema inserts rows, and there is no schema here; use the world engine, or leave them out";
            return Err(EngineError { engine: super::NAME, what: what.to_owned() });
        }
        if !story.topology.has_hub() {
            let what = "there is no hub in this story, and here there always is one; use the world engine";
            return Err(EngineError { engine: super::NAME, what: what.to_owned() });
        }
        let mut scopes = Vec::new();
        let mut devices = Vec::with_capacity(story.devices.len());
        for (number, device) in story.devices.iter().enumerate() {
            let scope = Scope::new(format!("s{}", device.scope))
                .map_err(|error| EngineError { engine: super::NAME, what: error.to_string() })?;
            let new = Device::new(story.seed, number, device.scope, scope, device.clock, device.online);
            devices.push(new);
            let scope = device.scope as usize;
            if scopes.len() <= scope {
                scopes.resize(scope + 1, Vec::new());
            }
            scopes[scope].push(number);
        }
        Ok(Fleet {
            shape,
            story,
            judge,
            parts,
            now: 0,
            queue: Queue::default(),
            hub: HubNode::new(story.seed, devices.len(), parts.hub()),
            devices,
            scopes,
            next_scope: 0,
            under_way: 0,
            live: 0,
            quiet: false,
            next_move: 0,
            done: false,
        })
    }

    /// Runs the story to its end.
    pub(super) fn run(&mut self) {
        let copies: Vec<DeviceNo> = (self.story.moves.iter())
            .filter_map(|planned| match planned.what {
                Move::Clone { copy, .. } => Some(copy),
                _ => None,
            })
            .collect();
        for (number, device) in self.story.devices.iter().enumerate() {
            if !copies.contains(&DeviceNo(number as u32)) {
                self.queue.push(device.from, Happening::Begin { device: number });
            }
        }
        self.queue.push(self.story.quiet_at, Happening::Quiet);
        if self.story.check_every_ms > 0 {
            self.queue.push(self.story.check_every_ms, Happening::Check);
        }
        self.plan_move();
        while !self.done && self.judge.violation().is_none() {
            let Some((at, happening)) = self.queue.pop() else { break };
            self.now = self.now.max(at);
            self.happen(happening);
        }
    }

    fn plan_move(&mut self) {
        if let Some(planned) = self.story.moves.get(self.next_move)
            && planned.at < self.story.quiet_at
        {
            self.queue.push(planned.at, Happening::Move);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Move => {
                let story = self.story;
                self.make(&story.moves[self.next_move].what);
                self.next_move += 1;
                self.plan_move();
            }
            Happening::Begin { device } => {
                if !self.devices[device].exists {
                    self.begin(device, None);
                }
            }
            Happening::Up { conn, run, frame, weighs } => {
                self.under_way -= u64::from(weighs);
                self.arrived_up(conn, run, frame);
            }
            Happening::Down { device, link, frame, weighs } => {
                self.under_way -= u64::from(weighs);
                self.arrived_down(device, link, frame);
            }
            Happening::Sent { conn, run, bytes } => {
                if self.hub.run == run {
                    self.sent(conn, bytes);
                }
            }
            Happening::HubLost { conn, run } => self.hub_lost(conn, run),
            Happening::Lost { device, link } => self.lost(device, link, "the connection was closed"),
            Happening::Break { device, link } => {
                let fits = self.devices[device].link(link).is_some_and(|link| !link.broken && !link.dead);
                if fits && !self.quiet {
                    self.saw(&Event::Fault(Fault::LinkBroke(DeviceNo(device as u32))));
                    self.break_link(device);
                }
            }
            Happening::Attempt { device, run, attempt } => self.attempt(device, run, attempt),
            Happening::Opened { device, run, attempt } => self.opened(device, run, attempt),
            Happening::Replied { device, link, id, reply } => {
                self.under_way -= 1;
                self.replied(device, link, id, *reply);
            }
            Happening::HubReplied { run, id, reply } => {
                self.under_way -= 1;
                if self.hub.run == run {
                    self.hub.machine.handle_store(true_now(self.now), id, *reply);
                    self.pump_hub();
                }
            }
            Happening::Timer { device, link } => self.timer(device, link),
            Happening::HubTimer { run } => {
                if self.hub.run == run {
                    self.hub_timer();
                }
            }
            Happening::Clock { device, run } => {
                if self.devices[device].run == run {
                    self.notice_jump(device);
                }
            }
            Happening::Restart { device, run } => {
                if self.devices[device].run == run && !self.devices[device].runs && !self.devices[device].lost
                {
                    self.saw(&Event::Fault(Fault::Restarted(DeviceNo(device as u32))));
                    self.start(device);
                }
            }
            Happening::HubRestart { run } => {
                if self.hub.run == run && !self.hub.runs {
                    self.restart_hub();
                }
            }
            Happening::Check => self.check(),
            Happening::Settled => self.settle(),
            Happening::Quiet => self.begin_quiet(),
        }
    }

    /// A device exists from now on.
    pub(super) fn begin(&mut self, number: usize, copy_of: Option<DeviceNo>) {
        self.devices[number].exists = true;
        self.saw(&Event::Started { device: DeviceNo(number as u32), copy_of });
        self.start(number);
    }

    fn check(&mut self) {
        if !self.quiet {
            self.gauge();
            self.look_at_some();
            self.queue.push(self.now + self.story.check_every_ms, Happening::Check);
        }
    }

    /// Ends the run when everything is exchanged, or when it should long have been.
    fn settle(&mut self) {
        let there = || self.devices.iter().filter(|device| device.exists && !device.lost);
        // A client whose link is dead claims to be in sync until it finds out.
        let settled = self.under_way == 0
            && self.live == there().count()
            && self.devices.iter().enumerate().all(|(number, device)| {
                let leads_here = |conn| self.hub.conns.get(&conn) == Some(&(number, device.links));
                // Neither end may know of it yet.
                let dead = matches!(&device.phase, Phase::Linked(link) if link.dead);
                !device.exists || device.lost || (!dead && device.conn().is_some_and(leads_here))
            });
        let late = self.now >= self.story.quiet_at.saturating_add(self.story.quiet_ms);
        if settled || late {
            self.gauge();
            self.look_at_all(LookPhase::Settled);
            self.done = true;
        } else {
            self.queue.push(self.now + SETTLE_CHECK_MS, Happening::Settled);
        }
    }

    /// From now on nothing fails, and everyone comes online.
    fn begin_quiet(&mut self) {
        self.quiet = true;
        self.saw(&Event::Quiet);
        self.hub.crash = None;
        if !self.hub.runs {
            self.restart_hub();
        }
        for number in 0..self.devices.len() {
            let device = &mut self.devices[number];
            device.crash = None;
            if !device.exists || device.lost {
                continue;
            }
            if !device.runs {
                self.saw(&Event::Fault(Fault::Restarted(DeviceNo(number as u32))));
                self.start(number);
            }
            self.connect(DeviceNo(number as u32));
        }
        self.queue.push(self.now, Happening::Settled);
    }

    pub(super) fn saw(&mut self, event: &Event) {
        self.judge.saw(self.now, event);
    }

    /// The number in the name of a scope.
    pub(super) fn scope_number(&self, scope: &Scope) -> u32 {
        scope.as_str().get(1..).and_then(|number| number.parse().ok()).unwrap_or_default()
    }
}
